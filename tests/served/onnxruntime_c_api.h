/* What export/SERVING.md calls of ONNX Runtime's C interface, for a machine without the real header (which comes with
 * ONNX Runtime's release archive, not with its Python wheel). The table of functions only ever grows at its end, so a
 * place in it, once given, is for good; the gaps are functions that are not called here. */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct OrtStatus OrtStatus;
typedef struct OrtEnv OrtEnv;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtAllocator OrtAllocator;
typedef struct OrtTypeInfo OrtTypeInfo;
typedef struct OrtTensorTypeAndShapeInfo OrtTensorTypeAndShapeInfo;
typedef struct OrtValue OrtValue;
typedef enum { ORT_LOGGING_LEVEL_ERROR = 3 } OrtLoggingLevel;
typedef enum { ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT = 1 } ONNXTensorElementDataType;

typedef struct OrtApi {
    void *gap_0[2];
    const char *(*GetErrorMessage)(const OrtStatus *);  /* 2 */
    OrtStatus *(*CreateEnv)(OrtLoggingLevel, const char *name, OrtEnv **);
    void *gap_4[3];
    OrtStatus *(*CreateSession)(const OrtEnv *, const char *path, const OrtSessionOptions *, OrtSession **);  /* 7 */
    void *gap_8[1];
    OrtStatus *(*Run)(OrtSession *, const OrtRunOptions *, const char *const *inputs, const OrtValue *const *, size_t,
                      const char *const *outputs, size_t, OrtValue **);  /* 9 */
    OrtStatus *(*CreateSessionOptions)(OrtSessionOptions **);
    void *gap_11[13];
    OrtStatus *(*SetIntraOpNumThreads)(OrtSessionOptions *, int);  /* 24 */
    void *gap_25[5];
    OrtStatus *(*SessionGetInputCount)(const OrtSession *, size_t *);  /* 30 */
    void *gap_31[2];
    OrtStatus *(*SessionGetInputTypeInfo)(const OrtSession *, size_t, OrtTypeInfo **);  /* 33 */
    void *gap_34[2];
    OrtStatus *(*SessionGetInputName)(const OrtSession *, size_t, OrtAllocator *, char **);  /* 36 */
    OrtStatus *(*SessionGetOutputName)(const OrtSession *, size_t, OrtAllocator *, char **);
    void *gap_38[10];
    OrtStatus *(*CreateTensorAsOrtValue)(OrtAllocator *, const int64_t *, size_t, ONNXTensorElementDataType,
                                         OrtValue **);  /* 48 */
    void *gap_49[2];
    OrtStatus *(*GetTensorMutableData)(OrtValue *, void **);  /* 51 */
    void *gap_52[3];
    OrtStatus *(*CastTypeInfoToTensorInfo)(const OrtTypeInfo *, const OrtTensorTypeAndShapeInfo **);  /* 55 */
    void *gap_56[5];
    OrtStatus *(*GetDimensionsCount)(const OrtTensorTypeAndShapeInfo *, size_t *);  /* 61 */
    OrtStatus *(*GetDimensions)(const OrtTensorTypeAndShapeInfo *, int64_t *, size_t);
    void *gap_63[1];
    OrtStatus *(*GetTensorShapeElementCount)(const OrtTensorTypeAndShapeInfo *, size_t *);  /* 64 */
    void *gap_65[13];
    OrtStatus *(*GetAllocatorWithDefaultOptions)(OrtAllocator **);  /* 78 */
} OrtApi;

typedef struct OrtApiBase {
    const OrtApi *(*GetApi)(uint32_t version);
    const char *(*GetVersionString)(void);
} OrtApiBase;

const OrtApiBase *OrtGetApiBase(void);
