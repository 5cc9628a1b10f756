/* What Python calls: a convolution forward and backward, of one kind or the other. */
#include "convolution.h"

/* y from x. Weights are (C_out, k, k, C_in / groups), bias (C_out,) or NULL. Returns 0, or 1 when memory ran out. */
int convolution_forward(const Convolution *c, const float *x, const float *weight, const float *bias, float *y) {
    return (c->is_by_channel ? depthwise_forward : dense_forward)(c, x, weight, bias, y);
}

/* dbias (C,), the sums of g over n pixels. */
static int backward_bias(const float *g, int64_t n, int64_t C, float *dbias) {
    double *sums = calloc(C, sizeof(double));
    if (!sums) return 1;
    for (int64_t i = 0; i < n; i++)
        for (int64_t channel = 0; channel < C; channel++) sums[channel] += g[i * C + channel];
    for (int64_t channel = 0; channel < C; channel++) dbias[channel] = (float)sums[channel];
    free(sums);
    return 0;
}

/* Writes of dx, dw and dbias what is not NULL. Returns 0, or 1 when memory ran out. */
int convolution_backward(const Convolution *c, const float *x, const float *weight, const float *g, float *dx,
                         float *dw, float *dbias) {
    BackwardInput *input = c->is_by_channel ? depthwise_backward_input : dense_backward_input;
    /* Of a single channel in, scalars by vectors of channels out: measured to take half the time where a vector fills. */
    int is_first = c->channels_in == 1 && c->channels_out >= CHUNK;
    BackwardWeight *weights = c->is_by_channel && !is_first ? depthwise_backward_weight : dense_backward_weight;
    return (dx && input(c, g, weight, dx)) || (dw && weights(c, x, g, dw)) ||
           (dbias && backward_bias(g, c->batch * height_out(c) * width_out(c), c->channels_out, dbias));
}

/* Values in a vector. */
int convolution_lanes(void) { return CHUNK; }
