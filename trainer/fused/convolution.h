/* What the two kinds of convolution share: the description of one, vectors of values, and maps with a margin.
 *
 * All maps are float32 and channels-last. The stride is one; what lies outside a map counts as zero.
 */
#ifndef CONVOLUTION_H
#define CONVOLUTION_H

#include <stdlib.h>

#include "formats.h"

/* Mirrored field by field in convolution.py. */
typedef struct {
    int64_t batch, height, width;           /* of the input */
    int64_t channels_in, channels_out;
    int64_t kernel, padding;
    int64_t is_by_channel; /* each output channel has one input channel: its own, or the only one */
} Convolution;

typedef float Vector __attribute__((vector_size(CHUNK * sizeof(float))));

static inline int64_t height_out(const Convolution *c) { return c->height + 2 * c->padding - c->kernel + 1; }
static inline int64_t width_out(const Convolution *c) { return c->width + 2 * c->padding - c->kernel + 1; }

static inline Vector load_vector(const float *from) {
    Vector v;
    memcpy(&v, from, sizeof v);
    return v;
}

static inline void store_vector(float *to, Vector v) { memcpy(to, &v, sizeof v); }

/* One allocation, cut into tables of zeros that begin on a cache line. */
typedef struct { char *base, *next; } Scratch;

static inline int64_t table_bytes(int64_t n, int64_t size) { return ((n + CHUNK) * size + 63) / 64 * 64; }

static inline int scratch_open(Scratch *s, int64_t n_bytes) {
    s->base = calloc(1, n_bytes + 64);
    s->next = s->base + (64 - (uintptr_t)s->base % 64);
    return s->base != NULL;
}

static inline void *take(Scratch *s, int64_t n, int64_t size) {
    void *start = s->next;
    s->next += table_bytes(n, size);
    return start;
}

/* Where the pixels of an image are read from: itself, or a copy of it with a margin of zeros all around. A margin below
 * zero cuts off. Each value of the image is `repeat` values of the copy. */
typedef struct {
    int64_t height, width, channels, margin, repeat; /* of the image */
    float *copy;                                     /* NULL where the image itself will do */
} Framed;

static inline int64_t framed_width(const Framed *f) { return f->width + 2 * f->margin; }
static inline int64_t framed_pitch(const Framed *f) { return framed_width(f) * f->channels * f->repeat; }
static inline int64_t framed_size(const Framed *f) { return (f->height + 2 * f->margin) * framed_pitch(f); }

static inline Framed make_framed(int64_t height, int64_t width, int64_t channels, int64_t margin, int64_t repeat) {
    Framed f = {height, width, channels, margin, repeat, NULL};
    return f;
}

static inline int needs_copy(const Framed *f) { return f->margin != 0 || f->repeat != 1; }

static inline int64_t framed_bytes(const Framed *f) {
    return needs_copy(f) ? table_bytes(framed_size(f), sizeof(float)) : 0;
}

static inline void take_frame(Framed *f, Scratch *s) {
    if (needs_copy(f)) f->copy = take(s, framed_size(f), sizeof(float));
}

/* n values, each `repeat` times. Up to a vector is written beyond them, where the next row or a margin is. */
static inline void repeat_values(float *out, const float *in, int64_t n, int64_t repeat) {
    for (int64_t i = 0; i < n; i++, out += repeat) {
        Vector v = in[i] - (Vector){0};
        for (int64_t j = 0; j < repeat; j += CHUNK) store_vector(out + j, v);
    }
}

static inline const float *frame(const Framed *f, const float *image) {
    if (!needs_copy(f)) return image;
    int64_t row = f->width * f->channels, pitch = framed_pitch(f), side = f->margin * f->channels;
    int64_t cut = side < 0 ? -side : 0, first = side > 0 ? side * f->repeat : 0, n = row - 2 * cut;
    for (int64_t h = f->margin < 0 ? -f->margin : 0; h < f->height + (f->margin < 0 ? f->margin : 0); h++) {
        float *out = f->copy + (h + f->margin) * pitch + first;
        const float *in = image + h * row + cut;
        if (f->repeat == 1) {
            memcpy(out, in, n * sizeof(float));
        } else {
            repeat_values(out, in, n, f->repeat);
            memset(out + n * f->repeat, 0, CHUNK * sizeof(float));
        }
    }
    return f->copy;
}

/* Each returns 0, or 1 when memory ran out. */
typedef int Forward(const Convolution *c, const float *x, const float *weight, const float *bias, float *y);
typedef int BackwardInput(const Convolution *c, const float *g, const float *weight, float *dx);
typedef int BackwardWeight(const Convolution *c, const float *x, const float *g, float *dw);

Forward dense_forward, depthwise_forward;
BackwardInput dense_backward_input, depthwise_backward_input;
BackwardWeight dense_backward_weight, depthwise_backward_weight;

#endif
