/* The affine bilinear resampling of a batch of grey images, from the bytes of the whole data set to normalised values.
 *
 * The same map as torch's affine_grid and grid_sample (bilinear, zeros outside, align_corners=False) on pixels from
 * which the fill was taken away before and to which it is given back after.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Mirrored field by field in sampling.py. */
typedef struct {
    int64_t n_images, batch, height, width;
    float fill;         /* 0 to 255 */
    float scale, shift; /* out = scale * pixel + shift */
} Sampling;

/* A margin of the fill all around: one pixel before and two behind catch every read of a clamped position. */
static void pad(float *restrict to, const uint8_t *restrict image, const Sampling *s) {
    int64_t stride = s->width + 3;
    for (int64_t j = 0; j < (s->height + 3) * stride; j++) to[j] = s->fill;
    for (int64_t h = 0; h < s->height; h++)
        for (int64_t w = 0; w < s->width; w++) to[(h + 1) * stride + w + 1] = image[h * s->width + w];
}

/* Positions outside by more than a pixel see the fill alone, as those just outside do. */
static inline float clamp(float position, float size) {
    position = position > -1 ? position : -1; /* NaN too */
    return position < size ? position : size;
}

/* `column[j]`, `row[j]`: the centre of output pixel j, the side of the image being -1 to 1. */
static void sample(float *restrict out, const float *restrict padded, const float *theta, const float *restrict column,
                   const float *restrict row, const Sampling *s) {
    float W = (float)s->width, H = (float)s->height, a = theta[0], b = theta[1], c = theta[2], d = theta[3],
          e = theta[4], f = theta[5], scale = s->scale, shift = s->shift;
    int32_t stride = (int32_t)s->width + 3;
    for (int64_t j = 0; j < s->height * s->width; j++) {
        float x = clamp(((a * column[j] + b * row[j] + c + 1) * W - 1) / 2, W);
        float y = clamp(((d * column[j] + e * row[j] + f + 1) * H - 1) / 2, H);
        int32_t left = (int32_t)(x + 1), top = (int32_t)(y + 1); /* in the padded image; never negative */
        float right_share = x + 1 - (float)left, bottom_share = y + 1 - (float)top;
        int32_t at = top * stride + left;
        float upper = padded[at] + right_share * (padded[at + 1] - padded[at]);
        float lower = padded[at + stride] + right_share * (padded[at + stride + 1] - padded[at + stride]);
        out[j] = scale * (upper + bottom_share * (lower - upper)) + shift;
    }
}

static void locate(float *column, float *row, const Sampling *s) {
    for (int64_t h = 0; h < s->height; h++)
        for (int64_t w = 0; w < s->width; w++) {
            column[h * s->width + w] = (2 * (float)w + 1) / (float)s->width - 1;
            row[h * s->width + w] = (2 * (float)h + 1) / (float)s->height - 1;
        }
}

/* out (B, H, W) float32 of the images `index` (B) of `pixels` (N, H, W), each moved by its theta (B, 2, 3).
 * Returns 0, 1 when memory ran out, or 2 when an index is not one of the n_images. */
int sample_images(const Sampling *s, const uint8_t *pixels, const int64_t *index, const float *theta, float *out) {
    for (int64_t i = 0; i < s->batch; i++)
        if (index[i] < 0 || index[i] >= s->n_images) return 2;
    int64_t size = s->height * s->width, padded_size = (s->height + 3) * (s->width + 3);
    float *work = malloc((2 * size + padded_size + 1) * sizeof(float));
    if (!work) return 1;
    float *column = work, *row = work + size, *padded = work + 2 * size;
    locate(column, row, s);
    for (int64_t i = 0; i < s->batch; i++) {
        pad(padded, pixels + index[i] * size, s);
        sample(out + i * size, padded, theta + 6 * i, column, row, s);
    }
    free(work);
    return 0;
}
