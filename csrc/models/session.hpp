// A model file run by ONNX Runtime's C interface: smartcore.Model without Python. The graph is loaded once; each session over
// it has buffers and states of its own, bound once, and its states take turns as input and output.
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/number.hpp"
#include "models/runtime.hpp"
#include "models/speaker.hpp"

namespace smartcore {

// What the file's contract says of its tensors (smartcore.models.Contract).
struct Layout {
    struct State {
        std::string input, output;
        std::vector<std::int64_t> shape;  // of one instrument: (1, ...)
        std::size_t size = 0;             // numbers in it
    };
    std::uint32_t columns = 0, classes = 0, horizons = 0;  // horizons 0: one, and no tensor of all
    std::vector<State> states;
    std::uint64_t warm_up = 0;
    std::array<char, 32> who{};              // whose snapshots it takes
    std::vector<float> median, scale;        // of the training inputs; empty: not told
    double far = kNaN;                       // their distance at the 99 % quantile (novelty.hpp)
};

// A loaded file. Shared by sessions of any thread; nothing in it changes.
class ModelFile {
public:
    // Throws std::runtime_error: no model, or a tensor that is no float32.
    ModelFile(const Runtime& runtime, std::span<const char> file);
    ~ModelFile();
    ModelFile(const ModelFile&) = delete;
    ModelFile& operator=(const ModelFile&) = delete;

    struct Tensor {
        std::string name;
        std::vector<std::int64_t> shape;  // -1: free
    };
    const std::vector<Tensor>& inputs() const noexcept { return inputs_; }
    const std::vector<Tensor>& outputs() const noexcept { return outputs_; }
    const std::vector<std::pair<std::string, std::string>>& metadata() const noexcept { return metadata_; }
    const Runtime& runtime() const noexcept { return runtime_; }
    ort::Session* session() const noexcept { return session_; }

private:
    std::vector<Tensor> tensors(bool in) const;

    const Runtime& runtime_;
    ort::Session* session_ = nullptr;
    std::vector<Tensor> inputs_, outputs_;
    std::vector<std::pair<std::string, std::string>> metadata_;
};

class Session final : public Speaker {
public:
    // The layout has been checked against the graph's tensors. Reads rows of its own columns until it is told a place for them.
    Session(std::shared_ptr<const ModelFile> file, std::shared_ptr<const Layout> layout);
    ~Session() override;
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    Said step(const double* row, double (&to)[3], double& novelty) noexcept override;
    std::string snapshot() const override;
    void restore(std::string_view blob) override;
    void rehearse() noexcept override;

    bool infer(const double* row) noexcept;  // step(), whatever there is to be thought of the scores; false: failed
    void reset() noexcept;
    double novelty() const noexcept;         // of the last row

    // Rows of `width` values have the model's columns there from now on.
    void place(std::vector<std::uint32_t> at, std::uint32_t width) noexcept { at_ = std::move(at), width_ = width; }
    void most_missing(std::uint32_t most) noexcept { most_ = most; }
    std::uint64_t steps() const noexcept { return steps_.load(std::memory_order_relaxed); }
    std::uint32_t missing() const noexcept { return missing_.load(std::memory_order_relaxed); }
    std::uint64_t faults() const noexcept { return faults_.load(std::memory_order_relaxed); }
    bool ready() const noexcept { return steps() >= layout_->warm_up; }
    std::string error() const {  // of the last fault
        const std::lock_guard lock(saying_);
        return error_;
    }
    std::span<const float> scores() const noexcept { return {scores_, layout_->classes}; }
    std::span<const float> every() const noexcept { return {every_, layout_->classes * std::max(layout_->horizons, 1u)}; }
    const std::shared_ptr<const ModelFile>& file() const noexcept { return file_; }
    const std::shared_ptr<const Layout>& layout() const noexcept { return layout_; }
    const std::vector<std::uint32_t>& at() const noexcept { return at_; }
    std::uint32_t width() const noexcept { return width_; }
    std::uint32_t most_missing() const noexcept { return most_; }

private:
    ort::Value* tensor(float* data, std::span<const std::int64_t> shape);
    ort::Status* run() noexcept;
    void clear() noexcept;
    bool failed(ort::Status* status) noexcept;

    std::shared_ptr<const ModelFile> file_;
    std::shared_ptr<const Layout> layout_;
    std::vector<std::uint32_t> at_;
    std::uint32_t width_, most_;                // of a row; of columns that may be unknown
    std::atomic<std::uint32_t> missing_{0};     // read by whoever watches
    std::atomic<std::uint64_t> steps_{0}, faults_{0};
    std::string error_;                         // room was made for it beforehand
    mutable std::mutex saying_;

    std::vector<float> memory_;
    float *row_ = nullptr, *scores_ = nullptr, *every_ = nullptr;
    std::vector<float*> states_[2];
    std::vector<ort::Value*> values_;           // every one there is, to be released
    std::vector<const char*> input_names_, output_names_;
    std::vector<const ort::Value*> inputs_[2];  // of an even step, of an odd one
    std::vector<ort::Value*> outputs_[2];
};

}  // namespace smartcore
