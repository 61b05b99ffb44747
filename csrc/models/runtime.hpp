// ONNX Runtime, loaded from the library that lies in its Python wheel: no import, no GIL, no dependency when this is compiled.
#pragma once
#include <string>

#include "models/onnxruntime.hpp"

namespace smartcore {

class Runtime {
public:
    // The library at a path, loaded the first time it is asked for and kept as long as the process lives (it has threads and
    // exit handlers of its own, which do not survive being unloaded). Throws std::runtime_error: no such file, no such interface.
    static const Runtime& at(const std::string& path);

    const ort::Api& api() const noexcept { return *api_; }
    const ort::Env* env() const noexcept { return env_; }
    const ort::MemoryInfo* memory() const noexcept { return memory_; }
    ort::Allocator* allocator() const noexcept { return allocator_; }
    const std::string& version() const noexcept { return version_; }

    // A call that has to work: throws std::runtime_error with ONNX Runtime's words.
    void must(ort::Status* status) const;

private:
    explicit Runtime(const std::string& path);

    const ort::Api* api_ = nullptr;
    ort::Env* env_ = nullptr;
    ort::MemoryInfo* memory_ = nullptr;
    ort::Allocator* allocator_ = nullptr;
    std::string version_;
};

}  // namespace smartcore
