/* ---- Layers -------------------------------------------------------------------------------------------------------
 *
 * Maps are square, and lie channel by channel, row by row. Both variants walk the same table of layers.
 */

enum { CONV, MAX_POOL, MEAN_POOL };

typedef struct {
    uint8_t kind;
    uint8_t relu; /* 1 if a ReLU follows the convolution */
    uint16_t in_channels, in_side, out_channels, out_side;
    uint16_t kernel, stride, padding, groups;
    uint16_t affine;  /* where its factors and offsets begin (float32 alone), or NO_AFFINE */
    uint32_t weight;  /* where its weights begin: [out_channels][in_channels / groups][kernel][kernel] */
    uint32_t channel; /* where that begins which there is one of for each output channel, such as the bias */
} Layer;

enum { NO_AFFINE = 0xFFFF };

typedef struct {
    int32_t first, end;
} Span;

/* The outputs of a row, first <= x < end, for which column `tap` of the kernel lies on the input, not on its border. */
static Span span_of(const Layer *layer, int32_t tap) {
    const int32_t stride = layer->stride;
    const int32_t border = layer->padding - tap;      /* columns of it before that of output 0 is on the input */
    const int32_t room = layer->in_side - 1 + border; /* columns from that of output 0 to the last of the input */
    Span span = {0, 0};
    if (border > 0) span.first = stride == 1 ? border : (border + stride - 1) / stride;
    if (room >= 0) span.end = 1 + (stride == 1 ? room : room / stride);
    if (span.end > layer->out_side) span.end = layer->out_side;
    return span;
}

static int32_t area(int32_t side) { return side * side; }

/* The first of the maps that output channel `channel` of a convolution looks at. */
static int32_t first_map(const Layer *layer, int32_t channel) {
    return channel / (layer->out_channels / layer->groups) * (layer->in_channels / layer->groups);
}

static int32_t weights_per_channel(const Layer *layer) {
    return layer->in_channels / layer->groups * area(layer->kernel);
}
