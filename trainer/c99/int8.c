/* round(product / 2^shift), halves away from zero. No negative number is shifted: C leaves open what that gives. */
static int64_t int8_rounded(int64_t product, int32_t shift) {
    const int64_t size = ((product < 0 ? -product : product) + ((int64_t)1 << (shift - 1))) >> shift;
    return product < 0 ? -size : size;
}

static int64_t int8_requantised(int32_t sum, uint32_t channel) {
    return int8_offset[channel] + int8_rounded((int64_t)sum * int8_multiplier[channel], int8_shift[channel]);
}

static int8_t int8_clamped(int64_t value) { return (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value); }

/* sum[x] += weight * (input - zero), for one tap of the kernel and all outputs of a row. */
static void int8_add_tap(const Tap *tap, int32_t weight, const int8_t *row, int32_t zero, int32_t *restrict sum) {
    const int32_t stride = tap->stride, shift = tap->shift;
    if (stride == 1)
        for (int32_t x = tap->first; x < tap->end; x++) sum[x] += weight * (row[x + shift] - zero);
    else
        for (int32_t x = tap->first; x < tap->end; x++) sum[x] += weight * (row[x * stride + shift] - zero);
}

#if HAS_SILU
/* x * sigmoid(x), both in steps of 2^-16: by a table of what it is every 1/16, and x itself from its end on. What is
 * below 0 follows from silu(-x) = silu(x) - x. */
static int32_t int8_silu(int64_t x) {
    const int32_t end = (SILU_ENTRIES - 1) << 12, highest = 1 << 30;
    const int32_t size = x < -highest || x > highest ? highest : (int32_t)(x < 0 ? -x : x);
    int32_t above = size;
    if (size < end) {
        const int32_t *entry = int8_silu_table + (size >> 12);
        above = entry[0] + (((entry[1] - entry[0]) * (size & 0xFFF) + 0x800) >> 12);
    }
    return x < 0 ? above - size : above;
}
#endif

static void int8_activate(const Layer *layer, int32_t channel, int32_t *restrict sum) {
    const int32_t side = layer->out_side;
    (void)channel;
    if (layer->activation == RELU)
        for (int32_t x = 0; x < side; x++) sum[x] = sum[x] > 0 ? sum[x] : 0;
#if HAS_SLOPES
    if (layer->activation == LEAKY)
        for (int32_t x = 0; x < side; x++)
            if (sum[x] < 0) sum[x] = (int32_t)int8_rounded((int64_t)sum[x] * int8_slope[layer - layers], 24);
#endif
#if HAS_SILU
    if (layer->activation == SILU)
        for (int32_t x = 0; x < side; x++)
            sum[x] = int8_silu(int8_requantised(sum[x], (uint32_t)int8_before[layer - layers] + (uint32_t)channel));
#endif
}

/* Row y of one output channel: bias, taps and activation, not yet requantised. `maps` are those that it looks at. */
static void int8_conv_row(const Layer *layer, int32_t channel, const int8_t *maps, int32_t y, int32_t *restrict sum) {
    const int32_t kernel = layer->kernel, side = layer->in_side, n_maps = layer->in_channels / layer->groups;
    const int32_t top = y * layer->stride - layer->padding, zero = int8_zero[layer - layers];
    const int8_t *weight = int8_weight + layer->weight + channel * weights_per_channel(layer);
    for (int32_t x = 0; x < layer->out_side; x++) sum[x] = int8_bias[layer->channel + (uint32_t)channel];
    for (int32_t kx = 0; kx < kernel; kx++) {
        const Tap tap = tap_of(layer, kx);
        for (int32_t n = 0; n < n_maps; n++)
            for (int32_t ky = 0; ky < kernel; ky++) {
                const int32_t row = top + ky;
                if (row < 0 || row >= side) continue;
                int8_add_tap(&tap, weight[(n * kernel + ky) * kernel + kx], maps + (n * side + row) * side, zero, sum);
            }
    }
    int8_activate(layer, channel, sum);
}

static void int8_conv(const Layer *layer, const int8_t *in, int8_t *out) {
    int32_t sum[WIDEST_ROW];
    for (int32_t channel = 0; channel < layer->out_channels; channel++) {
        const int8_t *maps = in + first_map(layer, channel) * area(layer->in_side);
        for (int32_t y = 0; y < layer->out_side; y++) {
            int8_conv_row(layer, channel, maps, y, sum);
            for (int32_t x = 0; x < layer->out_side; x++)
                *out++ = int8_clamped(int8_requantised(sum[x], layer->channel + (uint32_t)channel));
        }
    }
}

/* One channel of the last convolution, in the finer steps of the logits: such that no image makes them overflow. */
static void int8_last_conv(const Layer *layer, int32_t channel, const int8_t *in, int32_t *out) {
    const int8_t *maps = in + first_map(layer, channel) * area(layer->in_side);
    for (int32_t y = 0; y < layer->out_side; y++, out += layer->out_side) {
        int8_conv_row(layer, channel, maps, y, out);
        for (int32_t x = 0; x < layer->out_side; x++)
            out[x] = (int32_t)int8_requantised(out[x], layer->channel + (uint32_t)channel);
    }
}

/* The maximum of the kernel x kernel square whose upper left corner is `in`, or the mean in steps of its own. */
static int8_t int8_pooled(const Layer *layer, const int8_t *in) {
    int8_t largest = in[0];
    int32_t sum = layer->kind == MEAN_POOL ? int8_bias[layer->channel] : 0;
    for (int32_t y = 0; y < layer->kernel; y++, in += layer->in_side)
        for (int32_t x = 0; x < layer->kernel; x++) {
            sum += in[x];
            if (in[x] > largest) largest = in[x];
        }
    return layer->kind == MAX_POOL ? largest : int8_clamped(int8_requantised(sum, layer->channel));
}

static void int8_pool(const Layer *layer, const int8_t *in, int8_t *out) {
    for (int32_t channel = 0; channel < layer->out_channels; channel++, in += area(layer->in_side))
        for (int32_t y = 0; y < layer->out_side; y++)
            for (int32_t x = 0; x < layer->out_side; x++)
                *out++ = int8_pooled(layer, in + layer->kernel * (y * layer->in_side + x));
}

/* The same behind the last convolution, where values have the finer steps of the logits; a mean keeps them. */
static int32_t int32_pooled(const Layer *layer, const int32_t *in) {
    const int32_t n = area(layer->kernel);
    int32_t largest = in[0], sum = 0;
    for (int32_t y = 0; y < layer->kernel; y++, in += layer->in_side)
        for (int32_t x = 0; x < layer->kernel; x++) {
            sum += in[x];
            if (in[x] > largest) largest = in[x];
        }
    if (layer->kind == MAX_POOL) return largest;
    return sum < 0 ? -((n / 2 - sum) / n) : (n / 2 + sum) / n;
}

/* One map, where it lies: an output is never behind the values that are still to be read. */
static void int32_pool(const Layer *layer, int32_t *map) {
    int32_t *out = map;
    for (int32_t y = 0; y < layer->out_side; y++)
        for (int32_t x = 0; x < layer->out_side; x++)
            *out++ = int32_pooled(layer, map + layer->kernel * (y * layer->in_side + x));
}

#if HAS_SKIPS
static void int8_keep(const Layer *layer, const int8_t *in, int8_t *kept) {
    for (int32_t i = 0; i < layer->in_channels * area(layer->in_side); i++) kept[i] = in[i];
}

/* Adds the middle of each map that was kept, of the channels that are on both sides; both in the steps of the sum. */
static void int8_add(const Layer *layer, const int8_t *kept, int8_t *out) {
    const int32_t side = layer->out_side, margin = (layer->in_side - side) / 2;
    const uint32_t own = layer->channel, other = own + 1;
    for (int32_t channel = 0; channel < layer->out_channels; channel++)
        for (int32_t y = 0; y < side; y++, out += side) {
            const int8_t *row = kept + (channel * layer->in_side + y + margin) * layer->in_side + margin;
            for (int32_t x = 0; x < side; x++) {
                int64_t sum = int8_requantised(out[x] + int8_bias[own], own);
                if (channel < layer->in_channels) sum += int8_requantised(row[x] + int8_bias[other], other);
                out[x] = int8_clamped(sum);
            }
        }
}
#endif

int model_int8(const uint8_t image[MODEL_PIXELS], int32_t logits[MODEL_CLASSES], int32_t scratch[MODEL_INT8_SCRATCH]) {
    /* Behind what is kept a layer's input lies at one end of the scratch and its output at the other. */
    int32_t *const low = scratch + (N_KEPT + 3) / 4;
    int8_t *const low_end = (int8_t *)low, *const high_end = (int8_t *)(scratch + MODEL_INT8_SCRATCH), *in = low_end;
    for (int32_t i = 0; i < MODEL_PIXELS; i++) low_end[i] = (int8_t)(image[i] - 128);
    for (int32_t n = 0; n < LAST_CONV; n++) {
        const Layer *layer = &layers[n];
        int8_t *out = in != low_end ? low_end : high_end - layer->out_channels * area(layer->out_side);
#if HAS_SKIPS
        if (layer->kind == KEEP) int8_keep(layer, in, (int8_t *)scratch);
        if (layer->kind == ADD) int8_add(layer, (int8_t *)scratch, in);
        if (layer->kind == KEEP || layer->kind == ADD) continue;
#endif
        if (layer->kind == CONV)
            int8_conv(layer, in, out);
        else
            int8_pool(layer, in, out);
        in = out;
    }
    /* Pools behind the last convolution are done a channel at a time: int32 is needed for one map, not for ten. */
    const Layer *last = &layers[LAST_CONV];
    int32_t *map = in != low_end ? low : scratch + (MODEL_INT8_SCRATCH - area(last->out_side));
    int best = 0;
    for (int32_t i = 0; i < MODEL_CLASSES; i++) {
        int32_t *out = N_LAYERS == LAST_CONV + 1 ? &logits[i] : map;
        int8_last_conv(last, i, in, out);
        for (int32_t n = LAST_CONV + 1; n < N_LAYERS; n++) int32_pool(&layers[n], out);
        logits[i] = out[0];
        if (logits[i] > logits[best]) best = i;
    }
    return best;
}
