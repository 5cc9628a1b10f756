/* The first convolution: a square kernel over images of one channel, where oneDNN's vectors of input channels are empty.
 *
 * Images are float32, output and its gradient channels-last in either format. There is no gradient at the images, and
 * no bias. An image is copied into a margin of zeros, the padding, so that no tap needs a test; a vector holds a chunk
 * of output channels of one pixel, and `weight` is laid out as [chunk][tap]. Rows of pixels are worked on in a buffer:
 * what a chunk writes beyond the last channel goes to the next pixel, which is written later, or to the row's margin.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "formats.h"

/* Mirrored field by field in stem.py. */
typedef struct {
    int64_t batch, height, width, channels, kernel, stride, padding, out_height, out_width;
    int32_t dtype; /* of the output */
} Stem;

enum { LARGEST_KERNEL = 7 };

typedef struct {
    const Stem *s;
    int64_t n_chunks, n_taps, width; /* of a padded image */
    float *image, *row;
    Floats *taps; /* the weights, or the sums of their gradient */
} Work;

static int64_t row_size(const Stem *s) { return s->out_width * s->channels; }

static int work_open(Work *k, const Stem *s) {
    *k = (Work){s, (s->channels + CHUNK - 1) / CHUNK, s->kernel * s->kernel, s->width + 2 * s->padding, 0, 0, 0};
    if (s->kernel > LARGEST_KERNEL) return 0;
    k->image = calloc((s->height + 2 * s->padding) * k->width, sizeof(float));
    k->row = calloc(row_size(s) + CHUNK, sizeof(float));
    k->taps = aligned_alloc(sizeof(Floats), k->n_chunks * k->n_taps * sizeof(Floats));
    if (k->taps) memset(k->taps, 0, k->n_chunks * k->n_taps * sizeof(Floats));
    return k->image && k->row && k->taps;
}

static void work_close(Work *k) {
    free(k->image);
    free(k->row);
    free(k->taps);
}

static void load_image(Work *k, const float *x, int64_t number) {
    const Stem *s = k->s;
    for (int64_t h = 0; h < s->height; h++)
        memcpy(k->image + (h + s->padding) * k->width + s->padding, x + (number * s->height + h) * s->width,
               s->width * sizeof(float));
}

/* Both passes are compiled for each size of the kernel, whose taps then stay in registers. */
#define always static inline __attribute__((always_inline))

/* A row of output. The last chunk is first: the others overwrite what it writes into the next pixel. */
always void forward_row(const Work *k, int64_t h, int64_t K) {
    const Stem *s = k->s;
    const float *from = k->image + h * s->stride * k->width;
    for (int64_t chunk = k->n_chunks - 1; chunk >= 0; chunk--) {
        Floats taps[LARGEST_KERNEL * LARGEST_KERNEL];
        for (int64_t i = 0; i < K * K; i++) taps[i] = k->taps[chunk * K * K + i];
        for (int64_t w = 0; w < s->out_width; w++) {
            Floats sum = {0};
            for (int64_t i = 0; i < K; i++)
                for (int64_t j = 0; j < K; j++) sum += from[i * k->width + w * s->stride + j] * taps[i * K + j];
            memcpy(k->row + w * s->channels + chunk * CHUNK, &sum, sizeof sum);
        }
    }
}

/* What a row of the gradient adds to the sums. Lanes beyond the last channel add up what nobody asks for. */
always void backward_row(Work *k, int64_t h, int64_t K) {
    const Stem *s = k->s;
    for (int64_t chunk = 0; chunk < k->n_chunks; chunk++)
        for (int64_t i = 0; i < K; i++) {
            const float *from = k->image + (h * s->stride + i) * k->width;
            Floats *sums = k->taps + chunk * K * K + i * K, now[LARGEST_KERNEL];
            for (int64_t j = 0; j < K; j++) now[j] = sums[j];
            for (int64_t w = 0; w < s->out_width; w++) {
                Floats g;
                memcpy(&g, k->row + w * s->channels + chunk * CHUNK, sizeof g);
                for (int64_t j = 0; j < K; j++) now[j] += from[w * s->stride + j] * g;
            }
            for (int64_t j = 0; j < K; j++) sums[j] = now[j];
        }
}

#define FOR_EACH_KERNEL(call)                                                                                        \
    switch (k->s->kernel) {                                                                                          \
        case 1: call(k, h, 1); break;                                                                                \
        case 2: call(k, h, 2); break;                                                                                \
        case 3: call(k, h, 3); break;                                                                                \
        case 4: call(k, h, 4); break;                                                                                \
        case 5: call(k, h, 5); break;                                                                                \
        case 6: call(k, h, 6); break;                                                                                \
        default: call(k, h, 7);                                                                                      \
    }
static void forward_any(Work *k, int64_t h) { FOR_EACH_KERNEL(forward_row) }
static void backward_any(Work *k, int64_t h) { FOR_EACH_KERNEL(backward_row) }

/* x (batch, height, width), weight (channels, kernel, kernel), y (batch, out_height, out_width, channels). Returns 0, or
 * 1 when memory ran out. */
int stem_forward(const Stem *s, const float *x, const float *weight, void *y) {
    Work k;
    int is_open = work_open(&k, s);
    if (is_open) {
        for (int64_t c = 0; c < s->channels; c++)
            for (int64_t i = 0; i < k.n_taps; i++) k.taps[c / CHUNK * k.n_taps + i][c % CHUNK] = weight[c * k.n_taps + i];
        for (int64_t number = 0; number < s->batch; number++) {
            load_image(&k, x, number);
            for (int64_t h = 0; h < s->out_height; h++) {
                forward_any(&k, h);
                store(y, (number * s->out_height + h) * row_size(s), k.row, row_size(s), s->dtype);
            }
        }
    }
    work_close(&k);
    return !is_open;
}

/* g in the shape of y; writes dweight. Sums of an image are float32, those of a batch are gathered in doubles. */
int stem_backward(const Stem *s, const float *x, const void *g, float *dweight) {
    Work k;
    double *total = calloc(s->channels * s->kernel * s->kernel, sizeof(double));
    int is_open = work_open(&k, s) && total;
    if (is_open) {
        for (int64_t number = 0; number < s->batch; number++) {
            load_image(&k, x, number);
            for (int64_t h = 0; h < s->out_height; h++) {
                load(k.row, g, (number * s->out_height + h) * row_size(s), row_size(s), s->dtype);
                backward_any(&k, h);
            }
            for (int64_t c = 0; c < s->channels; c++)
                for (int64_t i = 0; i < k.n_taps; i++)
                    total[c * k.n_taps + i] += k.taps[c / CHUNK * k.n_taps + i][c % CHUNK];
            memset(k.taps, 0, k.n_chunks * k.n_taps * sizeof(Floats));
        }
        for (int64_t i = 0; i < s->channels * k.n_taps; i++) dweight[i] = (float)total[i];
    }
    free(total);
    work_close(&k);
    return !is_open;
}
