/* Convolutions in which each output channel has one input channel: depthwise ones, and a network's first.
 *
 * With the channels last a row of the output is a flat run of values, and each tap of the kernel reads a row of the input
 * shifted by whole pixels: with the weights repeated along the row, vectors are full whatever the number of channels.
 * The last vector of a row ends with the row and overlaps the one before. The gradient at the input is the same
 * convolution of the gradient with a margin, by the kernel turned half around. A network's first convolution has one
 * input channel, which is repeated for each output channel.
 *
 * A row of the input or output must be no shorter than a vector.
 */
#include "convolution.h"

enum { FLUSH_IMAGES = 32, MOST_ROWS = 4, MOST_SUMMED_ROWS = 28 };

#define INLINE static inline __attribute__((always_inline))

/* ---------------------------------------------------------------- forward, and the gradient at the input */

/* A kernel laid out along a row: the weight of tap t for value j of a row is taps[t * width + j]. */
typedef struct {
    const float *taps, *bias; /* bias: as long as a row */
    int64_t kernel, width;
} Rowwise;

/* A vector's worth of n rows of y. */
INLINE void any_rows(float *y, const float *x, const Rowwise *r, int64_t pitch, int64_t step, const int n) {
    const float *taps = r->taps;
    Vector sums[MOST_ROWS];
    for (int h = 0; h < n; h++) sums[h] = load_vector(r->bias);
    for (int64_t ky = 0; ky < r->kernel; ky++)
        for (int64_t kx = 0; kx < r->kernel; kx++, taps += r->width) {
            Vector weight = load_vector(taps);
            for (int h = 0; h < n; h++) sums[h] += weight * load_vector(x + (h + ky) * pitch + kx * step);
        }
    for (int h = 0; h < n; h++) store_vector(y + h * r->width, sums[h]);
}

/* As above for 3 x 3: a row of x is loaded once for the up to three rows of y that it is in. */
INLINE void rows_3x3(float *y, const float *x, const Rowwise *r, int64_t pitch, int64_t step, const int n) {
    Vector w[9], sums[MOST_ROWS];
    for (int t = 0; t < 9; t++) w[t] = load_vector(r->taps + t * r->width);
    for (int h = 0; h < n; h++) sums[h] = load_vector(r->bias);
#pragma GCC unroll 8
    for (int i = 0; i < n + 2; i++) {
        const float *row = x + i * pitch;
        Vector left = load_vector(row), middle = load_vector(row + step), right = load_vector(row + 2 * step);
#pragma GCC unroll 3
        for (int ky = 0; ky < 3; ky++) {
            int h = i - ky;
            if (h >= 0 && h < n) sums[h] += w[3 * ky] * left + w[3 * ky + 1] * middle + w[3 * ky + 2] * right;
        }
    }
    for (int h = 0; h < n; h++) store_vector(y + h * r->width, sums[h]);
}

/* Where vector i of a row begins: the last one ends with the row. */
static inline int64_t vector_at(int64_t i, int64_t width) {
    int64_t at = i * CHUNK;
    return at + CHUNK <= width ? at : width - CHUNK;
}

/* n rows of y, vector by vector. */
INLINE void correlate_rows(float *y, const float *x, const Rowwise *r, int64_t pitch, int64_t step, const int n) {
    for (int64_t i = 0; i * CHUNK < r->width; i++) {
        int64_t j = vector_at(i, r->width);
        Rowwise from_j = {r->taps + j, r->bias + j, r->kernel, r->width};
        if (r->kernel == 3) rows_3x3(y + j, x + j, &from_j, pitch, step, n);
        else any_rows(y + j, x + j, &from_j, pitch, step, n);
    }
}

/* One image: `height` rows of y from framed rows of x, which are `pitch` values long, pixels `step` values. A few rows at
 * a time: a weight is loaded for all of them, and memory is still read along the rows, as it is fetched ahead. */
static void correlate(float *y, const float *x, const Rowwise *r, int64_t height, int64_t pitch, int64_t step) {
    int64_t n_bands = (height + MOST_ROWS - 1) / MOST_ROWS;
    for (int64_t band = 0; band < n_bands; band++) {
        int64_t h = height * band / n_bands, n = height * (band + 1) / n_bands - h;
        float *to = y + h * r->width;
        const float *from = x + h * pitch;
        switch (n) {
        case 1: correlate_rows(to, from, r, pitch, step, 1); break;
        case 2: correlate_rows(to, from, r, pitch, step, 2); break;
        case 3: correlate_rows(to, from, r, pitch, step, 3); break;
        default: correlate_rows(to, from, r, pitch, step, MOST_ROWS);
        }
    }
}

static void lay_out_taps(float *out, const float *weight, int64_t kernel, int64_t width, int64_t C, int turned) {
    int64_t n_taps = kernel * kernel;
    for (int64_t t = 0; t < n_taps; t++)
        for (int64_t j = 0, c = 0; j < width; j++, c = c + 1 == C ? 0 : c + 1)
            out[t * width + j] = weight[c * n_taps + (turned ? n_taps - 1 - t : t)];
}

static Framed framed_input(const Convolution *c) {
    return make_framed(c->height, c->width, c->channels_in, c->padding, c->channels_out / c->channels_in);
}

/* y from x. Weights are (C, k, k), bias (C,) or NULL. */
int depthwise_forward(const Convolution *c, const float *x, const float *weight, const float *bias, float *y) {
    int64_t C = c->channels_out, k = c->kernel, width = width_out(c) * C, height = height_out(c);
    Framed source = framed_input(c);
    Scratch s;
    if (!scratch_open(&s, framed_bytes(&source) + table_bytes((k * k + 1) * width, sizeof(float))))
        return 1;
    take_frame(&source, &s);
    float *taps = take(&s, (k * k + 1) * width, sizeof(float)), *biases = taps + k * k * width;
    lay_out_taps(taps, weight, k, width, C, 0);
    if (bias)
        for (int64_t j = 0; j < width; j++) biases[j] = bias[j % C];
    Rowwise r = {taps, biases, k, width};
    int64_t image = c->height * c->width * c->channels_in;
    for (int64_t b = 0; b < c->batch; b++)
        correlate(y + b * height * width, frame(&source, x + b * image), &r, height, framed_pitch(&source), C);
    free(s.base);
    return 0;
}

/* dx from g, for a depthwise convolution. */
int depthwise_backward_input(const Convolution *c, const float *g, const float *weight, float *dx) {
    int64_t C = c->channels_out, k = c->kernel, width = c->width * C, image = height_out(c) * width_out(c) * C;
    Framed source = make_framed(height_out(c), width_out(c), C, k - 1 - c->padding, 1);
    Scratch s;
    if (!scratch_open(&s, framed_bytes(&source) + table_bytes((k * k + 1) * width, sizeof(float)))) return 1;
    take_frame(&source, &s);
    float *taps = take(&s, (k * k + 1) * width, sizeof(float)), *no_bias = taps + k * k * width;
    lay_out_taps(taps, weight, k, width, C, 1);
    Rowwise r = {taps, no_bias, k, width};
    for (int64_t b = 0; b < c->batch; b++)
        correlate(dx + b * c->height * width, frame(&source, g + b * image), &r, c->height, framed_pitch(&source), C);
    free(s.base);
    return 0;
}

/* ---------------------------------------------------------------- the gradient at the weights */

/* Sums by tap and by place in a row, over images and rows: float32 for some images, gathered in doubles. */
typedef struct { float *now; double *all; int64_t n; } Sums;

static void flush(Sums *s) {
    for (int64_t i = 0; i < s->n; i++) s->all[i] += s->now[i];
    memset(s->now, 0, s->n * sizeof(float));
}

/* now += sum, but for the first `skip` lanes. */
INLINE void add_lanes(float *now, Vector sum, int64_t skip) {
    if (!skip) {
        store_vector(now, load_vector(now) + sum);
        return;
    }
    float lanes[CHUNK];
    store_vector(lanes, sum);
    for (int64_t i = skip; i < CHUNK; i++) now[i] += lanes[i];
}

/* n_x taps in a row of the kernel, few enough for the sums to stay in registers over n rows of an image. */
INLINE void add_taps(float *now, const float *x, const float *g, int64_t n, int64_t pitch, int64_t width, int64_t step,
                     int64_t skip, int n_x) {
    Vector sums[5];
    for (int t = 0; t < n_x; t++) sums[t] = (Vector){0};
    for (int64_t h = 0; h < n; h++) {
        Vector gradient = load_vector(g + h * width);
        for (int kx = 0; kx < n_x; kx++) sums[kx] += gradient * load_vector(x + h * pitch + kx * step);
    }
    for (int t = 0; t < n_x; t++) add_lanes(now + t * width, sums[t], skip);
}

/* All of 3 x 3: each row of x is loaded once for the three rows of g that it meets. */
INLINE void add_3x3(float *now, const float *x, const float *g, int64_t n, int64_t pitch, int64_t width, int64_t step,
                    int64_t skip) {
    Vector sums[9], g0 = {0}, g1 = {0}, g2 = {0};
    for (int t = 0; t < 9; t++) sums[t] = (Vector){0};
    for (int64_t h = 0; h < n + 2; h++, x += pitch, g += width) {
        Vector left = load_vector(x), middle = load_vector(x + step), right = load_vector(x + 2 * step);
        g2 = g1;
        g1 = g0;
        if (h < n) {
            g0 = load_vector(g);
            sums[0] += g0 * left, sums[1] += g0 * middle, sums[2] += g0 * right;
        }
        if (h >= 1 && h <= n) sums[3] += g1 * left, sums[4] += g1 * middle, sums[5] += g1 * right;
        if (h >= 2) sums[6] += g2 * left, sums[7] += g2 * middle, sums[8] += g2 * right;
    }
    for (int t = 0; t < 9; t++) add_lanes(now + t * width, sums[t], skip);
}

/* Kernels that are not 3 x 3, row by row and five taps at a time. */
static void add_any(float *now, const float *x, const float *g, int64_t kernel, int64_t n, int64_t pitch, int64_t width,
                    int64_t step, int64_t skip) {
    for (int64_t ky = 0; ky < kernel; ky++, x += pitch, now += kernel * width) {
        int64_t kx = 0;
        for (; kx + 5 <= kernel; kx += 5)
            add_taps(now + kx * width, x + kx * step, g, n, pitch, width, step, skip, 5);
        for (; kx < kernel; kx++) add_taps(now + kx * width, x + kx * step, g, n, pitch, width, step, skip, 1);
    }
}

static void add_image(float *now, const float *x, const float *g, int64_t kernel, int64_t height, int64_t pitch,
                      int64_t width, int64_t step) {
    int64_t n_bands = (height + MOST_SUMMED_ROWS - 1) / MOST_SUMMED_ROWS;
    for (int64_t band = 0; band < n_bands; band++) {
        int64_t h = height * band / n_bands, n = height * (band + 1) / n_bands - h;
        const float *x_h = x + h * pitch, *g_h = g + h * width;
        for (int64_t i = 0; i * CHUNK < width; i++) {
            int64_t j = vector_at(i, width), skip = i * CHUNK - j; /* values that are in already */
            if (kernel == 3) add_3x3(now + j, x_h + j, g_h + j, n, pitch, width, step, skip);
            else add_any(now + j, x_h + j, g_h + j, kernel, n, pitch, width, step, skip);
        }
    }
}

/* Writes dw (C, k, k). */
int depthwise_backward_weight(const Convolution *c, const float *x, const float *g, float *dw) {
    int64_t C = c->channels_out, k = c->kernel, width = width_out(c) * C, height = height_out(c), n = k * k * width;
    Framed source = framed_input(c);
    Scratch s;
    if (!scratch_open(&s, framed_bytes(&source) + table_bytes(n, sizeof(float)) + table_bytes(n, sizeof(double))))
        return 1;
    take_frame(&source, &s);
    Sums sums = {take(&s, n, sizeof(float)), take(&s, n, sizeof(double)), n};
    int64_t image = c->height * c->width * c->channels_in;
    for (int64_t b = 0; b < c->batch; b++) {
        const float *x_b = frame(&source, x + b * image);
        add_image(sums.now, x_b, g + b * height * width, k, height, framed_pitch(&source), width, C);
        if (b % FLUSH_IMAGES == FLUSH_IMAGES - 1 || b == c->batch - 1) flush(&sums);
    }
    for (int64_t channel = 0; channel < C; channel++)
        for (int64_t t = 0; t < k * k; t++) {
            double total = 0;
            for (int64_t j = channel; j < width; j += C) total += sums.all[t * width + j];
            dw[channel * k * k + t] = (float)total;
        }
    free(s.base);
    return 0;
}
