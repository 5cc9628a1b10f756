/* ---- Layers -------------------------------------------------------------------------------------------------------
 *
 * Maps are square, and lie channel by channel, row by row. Both variants walk the same table of layers.
 */

enum { CONV, MAX_POOL, MEAN_POOL, KEEP, ADD }; /* what is kept has the shape `in_...` of both */
enum { LINEAR, RELU, LEAKY, SILU };

typedef struct {
    uint8_t kind;
    uint8_t activation; /* what follows a convolution: nothing, a ReLU, one with a slope below 0, or x * sigmoid(x) */
    uint16_t in_channels, in_side, out_channels, out_side;
    uint16_t kernel, stride, padding, groups;
    uint16_t affine;  /* where its factors and offsets begin (float32 alone), or NO_AFFINE */
    uint32_t weight;  /* where its weights begin: [out_channels][in_channels / groups][kernel][kernel] */
    uint32_t channel; /* where that begins which there is one of for each output channel, such as the bias */
} Layer;

enum { NO_AFFINE = 0xFFFF };

/* A column of the kernel. It meets the input, and not its border, for the outputs first <= x < end of a row, and there
 * at the column x * stride + shift. */
typedef struct {
    int32_t first, end, stride, shift;
} Tap;

static Tap tap_of(const Layer *layer, int32_t column) {
    Tap tap = {0, 0, layer->stride, column - layer->padding};
    const int32_t room = layer->in_side - 1 - tap.shift; /* columns from where output 0 meets it to the last one */
    if (tap.shift < 0) tap.first = (tap.stride - 1 - tap.shift) / tap.stride;
    if (room >= 0) tap.end = room / tap.stride + 1;
    if (tap.end > layer->out_side) tap.end = layer->out_side;
    return tap;
}

static int32_t area(int32_t side) { return side * side; }

/* The first of the maps that output channel `channel` of a convolution looks at. */
static int32_t first_map(const Layer *layer, int32_t channel) {
    return channel / (layer->out_channels / layer->groups) * (layer->in_channels / layer->groups);
}

static int32_t weights_per_channel(const Layer *layer) {
    return layer->in_channels / layer->groups * area(layer->kernel);
}
