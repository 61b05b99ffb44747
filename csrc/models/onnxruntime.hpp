// What is called of ONNX Runtime's C interface, whose header does not come with the Python wheel. The table of functions only
// grows at its end, so a place in it, once given, is for good; the gaps are functions that are not called.
#pragma once
#include <cstddef>
#include <cstdint>

namespace smartcore::ort {

struct Status;
struct Env;
struct Session;
struct SessionOptions;
struct RunOptions;
struct MemoryInfo;
struct Allocator;
struct TypeInfo;
struct TensorInfo;
struct Value;
struct Metadata;

inline constexpr std::uint32_t kVersion = 17;  // of the table: the oldest that knows opset 20
inline constexpr int kLogErrors = 3, kSequential = 0, kAllOptimisations = 99, kFloat = 1, kArena = 1, kDefaultMemory = 0;

struct Api {
    void* gap_0[2];
    const char* (*message)(const Status*);  // 2 GetErrorMessage
    Status* (*create_env)(int level, const char* name, Env**);  // 3 CreateEnv
    void* gap_4[4];
    Status* (*create_session)(const Env*, const void* model, std::size_t size, const SessionOptions*, Session**);  // 8 ..FromArray
    Status* (*run)(Session*, const RunOptions*, const char* const* inputs, const Value* const*, std::size_t, const char* const* outputs,
                   std::size_t, Value**);  // 9 Run
    Status* (*create_options)(SessionOptions**);  // 10 CreateSessionOptions
    void* gap_11[2];
    Status* (*set_mode)(SessionOptions*, int);  // 13 SetSessionExecutionMode
    void* gap_14[8];
    Status* (*set_log)(SessionOptions*, int);            // 22 SetSessionLogSeverityLevel
    Status* (*set_optimisation)(SessionOptions*, int);   // 23 SetSessionGraphOptimizationLevel
    Status* (*set_threads)(SessionOptions*, int);        // 24 SetIntraOpNumThreads
    Status* (*set_inter_threads)(SessionOptions*, int);  // 25 SetInterOpNumThreads
    void* gap_26[4];
    Status* (*inputs)(const Session*, std::size_t*);   // 30 SessionGetInputCount
    Status* (*outputs)(const Session*, std::size_t*);  // 31 SessionGetOutputCount
    void* gap_32[1];
    Status* (*input_type)(const Session*, std::size_t, TypeInfo**);   // 33 SessionGetInputTypeInfo
    Status* (*output_type)(const Session*, std::size_t, TypeInfo**);  // 34 SessionGetOutputTypeInfo
    void* gap_35[1];
    Status* (*input_name)(const Session*, std::size_t, Allocator*, char**);   // 36 SessionGetInputName
    Status* (*output_name)(const Session*, std::size_t, Allocator*, char**);  // 37 SessionGetOutputName
    void* gap_38[11];
    Status* (*create_tensor)(const MemoryInfo*, void* data, std::size_t bytes, const std::int64_t* shape, std::size_t rank, int type,
                             Value**);  // 49 CreateTensorWithDataAsOrtValue
    void* gap_50[5];
    Status* (*tensor_info)(const TypeInfo*, const TensorInfo**);  // 55 CastTypeInfoToTensorInfo
    void* gap_56[4];
    Status* (*element)(const TensorInfo*, int*);                                 // 60 GetTensorElementType
    Status* (*rank)(const TensorInfo*, std::size_t*);                            // 61 GetDimensionsCount
    Status* (*dimensions)(const TensorInfo*, std::int64_t*, std::size_t rank);   // 62 GetDimensions
    void* gap_63[6];
    Status* (*cpu_memory)(int allocator, int memory, MemoryInfo**);  // 69 CreateCpuMemoryInfo
    void* gap_70[6];
    Status* (*free)(Allocator*, void*);  // 76 AllocatorFree
    void* gap_77[1];
    Status* (*allocator)(Allocator**);  // 78 GetAllocatorWithDefaultOptions
    void* gap_79[14];
    void (*release_status)(Status*);        // 93 ReleaseStatus
    void (*release_memory)(MemoryInfo*);    // 94 ReleaseMemoryInfo
    void (*release_session)(Session*);      // 95 ReleaseSession
    void (*release_value)(Value*);          // 96 ReleaseValue
    void* gap_97[1];
    void (*release_type)(TypeInfo*);        // 98 ReleaseTypeInfo
    void* gap_99[1];
    void (*release_options)(SessionOptions*);  // 100 ReleaseSessionOptions
    void* gap_101[10];
    Status* (*metadata)(const Session*, Metadata**);  // 111 SessionGetModelMetadata
    void* gap_112[4];
    Status* (*look_up)(const Metadata*, Allocator*, const char* key, char** value);  // 116 ModelMetadataLookupCustomMetadataMap
    void* gap_117[1];
    void (*release_metadata)(Metadata*);  // 118 ReleaseModelMetadata
    void* gap_119[4];
    Status* (*keys)(const Metadata*, Allocator*, char*** keys, std::int64_t* count);  // 123 ModelMetadataGetCustomMetadataMapKeys
};
static_assert(offsetof(Api, run) == 9 * sizeof(void*) && offsetof(Api, create_tensor) == 49 * sizeof(void*) &&
              offsetof(Api, allocator) == 78 * sizeof(void*) && offsetof(Api, release_options) == 100 * sizeof(void*) &&
              offsetof(Api, keys) == 123 * sizeof(void*));

struct ApiBase {
    const Api* (*api)(std::uint32_t version);
    const char* (*version)();
};

}  // namespace smartcore::ort
