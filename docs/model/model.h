/* A classifier of images of 28x28 pixels: a convolutional network of 7,658 values.
 *
 * No function here allocates, keeps anything between calls or needs another library; several may run at once, each
 * with logits and scratch of its own. Compile model.c with -DMODEL_NO_F32 or -DMODEL_NO_INT8 to leave one variant out.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MODEL_PIXELS 784 /* 28 rows of 28, from the top left; 0 is the background, 255 the middle of a stroke */
#define MODEL_CLASSES 10 /* 0 to 9 */

#define MODEL_F32_SCRATCH 14624 /* floats: 58,496 bytes */
#ifndef MODEL_NO_INT8
#define MODEL_INT8_SCRATCH 3656 /* int32_t: 14,624 bytes */

/* Of the logits of model_int8: times this they are those of model_f32, all but for what int8 loses. */
#define MODEL_INT8_LOGIT_SCALE 6.461845e-5f
#endif

/* The class of an image, 0 to 9: that of the largest logit, at a tie the lowest. `logits` is filled, `scratch` is
 * room for layers, and need not be set or kept. */
int model_f32(const uint8_t image[MODEL_PIXELS], float logits[MODEL_CLASSES], float scratch[MODEL_F32_SCRATCH]);

#ifndef MODEL_NO_INT8
/* The same in whole numbers alone: 32-bit sums, and 64-bit products where a sum becomes int8 again. */
int model_int8(const uint8_t image[MODEL_PIXELS], int32_t logits[MODEL_CLASSES], int32_t scratch[MODEL_INT8_SCRATCH]);
#endif

#ifdef __cplusplus
}
#endif

#endif
