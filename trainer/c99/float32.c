/* sum[x] += weight * input, for one tap of the kernel and all outputs of a row. */
static void f32_add_tap(const Tap *tap, float weight, const float *row, float *restrict sum) {
    const int32_t stride = tap->stride, shift = tap->shift;
    if (stride == 1) /* told apart so that a compiler sees neighbours, and can work on several at once */
        for (int32_t x = tap->first; x < tap->end; x++) sum[x] += weight * row[x + shift];
    else
        for (int32_t x = tap->first; x < tap->end; x++) sum[x] += weight * row[x * stride + shift];
}

/* Row y of one output channel: `sum` begins as the bias. `maps` are those that the channel looks at. */
static void f32_add_taps(const Layer *layer, const float *weight, const float *maps, int32_t y, float *restrict sum) {
    const int32_t kernel = layer->kernel, side = layer->in_side, n_maps = layer->in_channels / layer->groups;
    const int32_t top = y * layer->stride - layer->padding;
    for (int32_t kx = 0; kx < kernel; kx++) {
        const Tap tap = tap_of(layer, kx);
        for (int32_t n = 0; n < n_maps; n++)
            for (int32_t ky = 0; ky < kernel; ky++) {
                const int32_t row = top + ky;
                if (row < 0 || row >= side) continue;
                f32_add_tap(&tap, weight[(n * kernel + ky) * kernel + kx], maps + (n * side + row) * side, sum);
            }
    }
}

#if HAS_SILU
/* x * sigmoid(x). e^-|x| is 2^-n * e^r, with ln 2 in two parts so that r is exact, and a series for e^r. */
static float f32_silu(float x) {
    const float size = x < 0.0f ? -x : x;
    if (!(size < 87.0f)) return x < 0.0f ? 0.0f : x;
    const uint32_t n = (uint32_t)(size * 1.44269504f + 0.5f);
    const float r = ((float)n * 0.693359375f - size) - (float)n * 2.12194440e-4f;
    const float series = 1.0f + r * (1.0f + r * (0.5f + r * (1.6666667e-1f + r * (4.1666667e-2f +
                         r * (8.3333333e-3f + r * (1.3888889e-3f + r * 1.9841270e-4f))))));
    const union { uint32_t bits; float value; } power = {(127u - n) << 23};
    const float e = series * power.value;
    return x < 0.0f ? x * e / (1.0f + e) : x / (1.0f + e);
}
#endif

static void f32_activate(const Layer *layer, float *row) {
    const int32_t side = layer->out_side;
    if (layer->activation == RELU)
        for (int32_t x = 0; x < side; x++) row[x] = row[x] > 0.0f ? row[x] : 0.0f;
#if HAS_SLOPES
    if (layer->activation == LEAKY)
        for (int32_t x = 0; x < side; x++) row[x] = row[x] > 0.0f ? row[x] : row[x] * f32_slope[layer - layers];
#endif
#if HAS_SILU
    if (layer->activation == SILU)
        for (int32_t x = 0; x < side; x++) row[x] = f32_silu(row[x]);
#endif
}

static void f32_finish(const Layer *layer, int32_t channel, float *row) {
    const int32_t side = layer->out_side;
    f32_activate(layer, row);
    if (layer->affine != NO_AFFINE) {
        const float factor = f32_factor[layer->affine + channel], offset = f32_offset[layer->affine + channel];
        for (int32_t x = 0; x < side; x++) row[x] = row[x] * factor + offset;
    }
}

static void f32_conv(const Layer *layer, const float *in, float *out) {
    const int32_t side = layer->out_side;
    const float *weight = f32_weight + layer->weight, *bias = f32_bias + layer->channel;
    for (int32_t channel = 0; channel < layer->out_channels; channel++, weight += weights_per_channel(layer)) {
        const float *maps = in + first_map(layer, channel) * area(layer->in_side);
        for (int32_t y = 0; y < side; y++, out += side) {
            for (int32_t x = 0; x < side; x++) out[x] = bias[channel];
            f32_add_taps(layer, weight, maps, y, out);
            f32_finish(layer, channel, out);
        }
    }
}

/* The maximum or the mean of the kernel x kernel square whose upper left corner is `in`. */
static float f32_pooled(const Layer *layer, const float *in) {
    const int32_t kernel = layer->kernel;
    float largest = in[0], sum = 0.0f;
    for (int32_t y = 0; y < kernel; y++, in += layer->in_side)
        for (int32_t x = 0; x < kernel; x++) {
            sum += in[x];
            if (in[x] > largest) largest = in[x];
        }
    return layer->kind == MAX_POOL ? largest : sum / (float)area(kernel);
}

static void f32_pool(const Layer *layer, const float *in, float *out) {
    for (int32_t channel = 0; channel < layer->out_channels; channel++, in += area(layer->in_side))
        for (int32_t y = 0; y < layer->out_side; y++)
            for (int32_t x = 0; x < layer->out_side; x++)
                *out++ = f32_pooled(layer, in + layer->kernel * (y * layer->in_side + x));
}

#if HAS_SKIPS
static void f32_keep(const Layer *layer, const float *in, float *kept) {
    for (int32_t i = 0; i < layer->in_channels * area(layer->in_side); i++) kept[i] = in[i];
}

/* Adds the middle of each map that was kept, of the channels that are on both sides. */
static void f32_add(const Layer *layer, const float *kept, float *out) {
    const int32_t side = layer->out_side, margin = (layer->in_side - side) / 2;
    for (int32_t channel = 0; channel < layer->out_channels && channel < layer->in_channels; channel++)
        for (int32_t y = 0; y < side; y++, out += side) {
            const float *row = kept + (channel * layer->in_side + y + margin) * layer->in_side + margin;
            for (int32_t x = 0; x < side; x++) out[x] += row[x];
        }
}
#endif

int model_f32(const uint8_t image[MODEL_PIXELS], float logits[MODEL_CLASSES], float scratch[MODEL_F32_SCRATCH]) {
    /* Behind what is kept a layer's input lies at one end of the scratch and its output at the other; the last one's
     * are the logits. */
    float *const low = scratch + N_KEPT, *in = low;
    for (int32_t i = 0; i < MODEL_PIXELS; i++) low[i] = (float)image[i] * F32_PIXEL_FACTOR + F32_PIXEL_OFFSET;
    for (int32_t n = 0; n < N_LAYERS; n++) {
        const Layer *layer = &layers[n];
        const int32_t size = layer->out_channels * area(layer->out_side);
        float *out = n == N_LAYERS - 1 ? logits : in != low ? low : scratch + (MODEL_F32_SCRATCH - size);
#if HAS_SKIPS
        if (layer->kind == KEEP) f32_keep(layer, in, scratch);
        if (layer->kind == ADD) f32_add(layer, scratch, in);
        if (layer->kind == KEEP || layer->kind == ADD) continue;
#endif
        if (layer->kind == CONV)
            f32_conv(layer, in, out);
        else
            f32_pool(layer, in, out);
        in = out;
    }
    int best = 0;
    for (int i = 1; i < MODEL_CLASSES; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}
