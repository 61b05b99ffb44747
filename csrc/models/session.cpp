#include "models/session.hpp"

#include <cmath>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "models/novelty.hpp"

namespace smartcore {
namespace {

// zlib's CRC-32: snapshots are those of smartcore.Model.
std::uint32_t crc32(std::string_view bytes, std::uint32_t crc = 0) noexcept {
    static const auto table = [] {
        std::array<std::uint32_t, 256> made{};
        for (std::uint32_t i = 0; i < 256; ++i) {
            std::uint32_t c = i;
            for (int bit = 0; bit < 8; ++bit) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
            made[i] = c;
        }
        return made;
    }();
    crc = ~crc;
    for (char byte : bytes) crc = table[(crc ^ static_cast<unsigned char>(byte)) & 0xFF] ^ (crc >> 8);
    return ~crc;
}

constexpr char kMagic[] = {'S', 'C', 'M', '1'};
constexpr std::size_t kWho = 4, kSteps = 36, kCrc = 44, kBody = 48;

std::uint32_t checksum(std::string_view blob) noexcept {
    return crc32(blob.substr(kBody), crc32(blob.substr(kWho, kCrc - kWho)));
}

constexpr std::size_t kLine = 16;  // floats of a cache line, which every buffer begins
std::size_t lines(std::size_t n) noexcept { return (n + kLine - 1) / kLine * kLine; }

}  // namespace

ModelFile::ModelFile(const Runtime& runtime, std::span<const char> file) : runtime_(runtime) {
    const ort::Api& api = runtime.api();
    ort::SessionOptions* options = nullptr;
    runtime.must(api.create_options(&options));
    try {
        runtime.must(api.set_mode(options, ort::kSequential));
        runtime.must(api.set_log(options, ort::kLogErrors));
        runtime.must(api.set_optimisation(options, ort::kAllOptimisations));
        runtime.must(api.set_threads(options, 1));
        runtime.must(api.set_inter_threads(options, 1));
        runtime.must(api.create_session(runtime.env(), file.data(), file.size(), options, &session_));
        inputs_ = tensors(true), outputs_ = tensors(false);
        ort::Metadata* meta = nullptr;
        runtime.must(api.metadata(session_, &meta));
        char** keys = nullptr;
        std::int64_t n = 0;
        if (ort::Status* status = api.keys(meta, runtime.allocator(), &keys, &n)) api.release_metadata(meta), runtime.must(status);
        for (std::int64_t i = 0; i < n; ++i) {
            char* value = nullptr;
            if (ort::Status* status = api.look_up(meta, runtime.allocator(), keys[i], &value)) api.release_status(status);
            metadata_.emplace_back(keys[i], value ? value : "");
            for (char* text : {value, keys[i]})
                if (text)
                    if (ort::Status* status = api.free(runtime.allocator(), text)) api.release_status(status);
        }
        if (keys)
            if (ort::Status* status = api.free(runtime.allocator(), keys)) api.release_status(status);
        api.release_metadata(meta);
    } catch (...) {
        if (session_) api.release_session(session_);
        api.release_options(options);
        throw;
    }
    api.release_options(options);
}

ModelFile::~ModelFile() { runtime_.api().release_session(session_); }

std::vector<ModelFile::Tensor> ModelFile::tensors(bool in) const {
    const ort::Api& api = runtime_.api();
    std::size_t n = 0;
    runtime_.must((in ? api.inputs : api.outputs)(session_, &n));
    std::vector<Tensor> found(n);
    for (std::size_t i = 0; i < n; ++i) {
        char* name = nullptr;
        runtime_.must((in ? api.input_name : api.output_name)(session_, i, runtime_.allocator(), &name));
        found[i].name = name;
        runtime_.must(api.free(runtime_.allocator(), name));
        ort::TypeInfo* type = nullptr;
        runtime_.must((in ? api.input_type : api.output_type)(session_, i, &type));
        const ort::TensorInfo* info = nullptr;
        int element = 0;
        std::size_t rank = 0;
        ort::Status* status = api.tensor_info(type, &info);
        if (!status && info) status = api.element(info, &element);
        if (!status && info) status = api.rank(info, &rank);
        if (!status && info) found[i].shape.resize(rank), status = api.dimensions(info, found[i].shape.data(), rank);
        api.release_type(type);
        runtime_.must(status);
        if (element != ort::kFloat) throw std::runtime_error("tensor " + found[i].name + " is not of float32");
    }
    return found;
}

Session::Session(std::shared_ptr<const ModelFile> file, std::shared_ptr<const Layout> layout)
    : file_(std::move(file)), layout_(std::move(layout)), at_(layout_->columns), width_(layout_->columns), most_(layout_->columns) {
    const Layout& l = *layout_;
    std::iota(at_.begin(), at_.end(), 0u);
    error_.reserve(256);
    std::size_t room = lines(l.columns) + lines(l.classes) + lines(std::size_t{l.horizons} * l.classes) + kLine;
    for (const Layout::State& s : l.states) room += 2 * lines(s.size);
    memory_.resize(room);
    float* next = memory_.data();
    while (reinterpret_cast<std::uintptr_t>(next) % (kLine * sizeof(float))) ++next;
    const auto take = [&](std::size_t n) { return std::exchange(next, next + lines(n)); };
    row_ = take(l.columns), scores_ = take(l.classes);
    every_ = l.horizons ? take(std::size_t{l.horizons} * l.classes) : scores_;
    for (std::vector<float*>& set : states_)
        for (const Layout::State& s : l.states) set.push_back(take(s.size));
    try {
        const std::int64_t row[] = {1, l.columns}, scores[] = {1, l.classes}, every[] = {1, l.horizons, l.classes};
        input_names_.push_back("row"), output_names_.push_back("scores");
        ort::Value *row_value = tensor(row_, row), *scores_value = tensor(scores_, scores);
        for (int turn = 0; turn < 2; ++turn) inputs_[turn].push_back(row_value), outputs_[turn].push_back(scores_value);
        for (std::size_t i = 0; i < l.states.size(); ++i) {
            const Layout::State& s = l.states[i];
            input_names_.push_back(s.input.c_str()), output_names_.push_back(s.output.c_str());
            ort::Value *a = tensor(states_[0][i], s.shape), *b = tensor(states_[1][i], s.shape);
            inputs_[0].push_back(a), outputs_[0].push_back(b);
            inputs_[1].push_back(b), outputs_[1].push_back(a);
        }
        if (l.horizons) {
            output_names_.push_back("scores_all");
            ort::Value* all = tensor(every_, every);
            for (int turn = 0; turn < 2; ++turn) outputs_[turn].push_back(all);
        }
    } catch (...) {
        clear();
        throw;
    }
    reset();
}

Session::~Session() { clear(); }

void Session::clear() noexcept {
    for (ort::Value* value : values_) file_->runtime().api().release_value(value);
}

ort::Value* Session::tensor(float* data, std::span<const std::int64_t> shape) {
    std::size_t n = 1;
    for (std::int64_t d : shape) n *= static_cast<std::size_t>(d);
    values_.reserve(values_.size() + 1);
    ort::Value* made = nullptr;
    const Runtime& runtime = file_->runtime();
    runtime.must(runtime.api().create_tensor(runtime.memory(), data, n * sizeof(float), shape.data(), shape.size(), ort::kFloat, &made));
    values_.push_back(made);
    return made;
}

void Session::reset() noexcept {
    steps_.store(0, std::memory_order_relaxed), missing_.store(0, std::memory_order_relaxed);
    std::fill_n(row_, layout_->columns, 0.0f);
    std::fill_n(scores_, layout_->classes, static_cast<float>(kNaN));
    std::fill_n(every_, every().size(), static_cast<float>(kNaN));
    for (std::size_t i = 0; i < layout_->states.size(); ++i) std::fill_n(states_[0][i], layout_->states[i].size, 0.0f);
}

ort::Status* Session::run() noexcept {
    const std::size_t turn = steps() & 1;
    return file_->runtime().api().run(file_->session(), nullptr, input_names_.data(), inputs_[turn].data(), inputs_[turn].size(),
                                       output_names_.data(), outputs_[turn].size(), outputs_[turn].data());
}

bool Session::failed(ort::Status* status) noexcept {
    faults_.store(faults() + 1, std::memory_order_relaxed);
    const std::string_view said = status ? file_->runtime().api().message(status) : "a score is not finite";
    {
        const std::lock_guard lock(saying_);
        error_.assign(said.substr(0, error_.capacity()));
    }
    if (status) file_->runtime().api().release_status(status);
    return false;
}

bool Session::infer(const double* row) noexcept {
    std::uint32_t unknown = 0;
    for (std::size_t i = 0; i < at_.size(); ++i) {
        const auto x = static_cast<float>(row[at_[i]]);
        row_[i] = x;
        unknown += x != x;
    }
    missing_.store(unknown, std::memory_order_relaxed);
    if (ort::Status* status = run()) return failed(status);
    for (float x : scores())
        if (!std::isfinite(x)) return failed(nullptr);
    steps_.store(steps() + 1, std::memory_order_relaxed);
    return true;
}

double Session::novelty() const noexcept {
    const Layout& l = *layout_;
    return l.median.empty() ? kNaN : distance(row_, l.median.data(), l.scale.data(), l.columns) / l.far;
}

Said Session::step(const double* row, double (&to)[3], double& novelty) noexcept {
    for (double& p : to) p = kNaN;
    if (layout_->classes != 3 || !infer(row)) {
        novelty = kNaN;
        return Said::failed;
    }
    novelty = this->novelty();
    if (!ready() || missing() > most_) return Said::nothing;
    for (std::size_t i = 0; i < 3; ++i) to[i] = static_cast<double>(scores_[i]);
    return Said::yes;
}

// Weights and code back into the caches before a row comes. What the next step will write is written; what is believed stays.
void Session::rehearse() noexcept {
    constexpr std::size_t most = 64;
    float kept[most];
    const std::span<const float> all = every();
    if (layout_->classes + all.size() > most) return;
    std::copy_n(scores_, layout_->classes, kept);
    std::copy(all.begin(), all.end(), kept + layout_->classes);
    if (ort::Status* status = run()) file_->runtime().api().release_status(status);
    std::copy_n(kept, layout_->classes, scores_);
    std::copy_n(kept + layout_->classes, all.size(), every_);
}

std::string Session::snapshot() const {
    const std::uint64_t steps = this->steps();
    std::string blob(kBody, '\0');
    std::memcpy(blob.data(), kMagic, sizeof kMagic);
    std::memcpy(blob.data() + kWho, layout_->who.data(), layout_->who.size());
    std::memcpy(blob.data() + kSteps, &steps, sizeof steps);
    for (std::size_t i = 0; i < layout_->states.size(); ++i)
        blob.append(reinterpret_cast<const char*>(states_[steps & 1][i]), layout_->states[i].size * sizeof(float));
    const std::uint32_t sum = checksum(blob);
    std::memcpy(blob.data() + kCrc, &sum, sizeof sum);
    return blob;
}

void Session::restore(std::string_view blob) {
    std::size_t size = kBody;
    for (const Layout::State& s : layout_->states) size += s.size * sizeof(float);
    if (blob.size() < kBody || std::memcmp(blob.data(), kMagic, sizeof kMagic) != 0) throw std::invalid_argument("not a model snapshot");
    std::uint32_t sum;
    std::memcpy(&sum, blob.data() + kCrc, sizeof sum);
    if (sum != checksum(blob)) throw std::invalid_argument("model snapshot is damaged: its checksum does not fit");
    if (blob.size() != size || std::memcmp(blob.data() + kWho, layout_->who.data(), layout_->who.size()) != 0)
        throw std::invalid_argument("snapshot of another model");
    std::uint64_t steps;
    std::memcpy(&steps, blob.data() + kSteps, sizeof steps);
    const char* from = blob.data() + kBody;
    for (std::size_t i = 0; i < layout_->states.size(); ++i) {
        const std::size_t bytes = layout_->states[i].size * sizeof(float);
        std::memcpy(states_[steps & 1][i], from, bytes);
        from += bytes;
    }
    steps_.store(steps, std::memory_order_relaxed);
}

}  // namespace smartcore
