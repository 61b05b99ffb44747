#include "models/runtime.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace smartcore {
namespace {

void* open(const std::string& path) {
#if defined(_WIN32)
    const int n = MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, nullptr, 0);
    std::wstring wide(static_cast<std::size_t>(n), L'\0');
    MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, wide.data(), n);
    if (HMODULE library = LoadLibraryExW(wide.c_str(), nullptr, LOAD_WITH_ALTERED_SEARCH_PATH)) return reinterpret_cast<void*>(library);
    throw std::runtime_error(path + ": error " + std::to_string(GetLastError()));
#else
    // Local: the module that Python imports as onnxruntime holds another copy, and the two must not see one another.
    if (void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
    throw std::runtime_error(dlerror());
#endif
}

const ort::ApiBase* base(void* library) noexcept {
#if defined(_WIN32)
    auto* found = reinterpret_cast<void*>(GetProcAddress(reinterpret_cast<HMODULE>(library), "OrtGetApiBase"));
#else
    void* found = dlsym(library, "OrtGetApiBase");
#endif
    return found ? reinterpret_cast<const ort::ApiBase* (*)()>(found)() : nullptr;
}

}  // namespace

Runtime::Runtime(const std::string& path) {
    const ort::ApiBase* found = base(open(path));
    if (!found) throw std::runtime_error(path + " is no ONNX Runtime: it has no OrtGetApiBase");
    version_ = found->version();
    api_ = found->api(ort::kVersion);
    if (!api_) throw std::runtime_error(path + ": ONNX Runtime " + version_ + " has no interface of version " + std::to_string(ort::kVersion));
    must(api_->create_env(ort::kLogErrors, "smartcore", &env_));
    must(api_->cpu_memory(ort::kArena, ort::kDefaultMemory, &memory_));
    must(api_->allocator(&allocator_));
}

const Runtime& Runtime::at(const std::string& path) {
    static std::mutex one;
    static auto& loaded = *new std::map<std::string, std::unique_ptr<Runtime>>;  // never destroyed: threads may still run at exit
    const std::lock_guard lock(one);
    std::unique_ptr<Runtime>& runtime = loaded[path];
    if (!runtime) runtime.reset(new Runtime(path));
    return *runtime;
}

void Runtime::must(ort::Status* status) const {
    if (!status) return;
    const std::string said = api_->message(status);
    api_->release_status(status);
    throw std::runtime_error(said);
}

}  // namespace smartcore
