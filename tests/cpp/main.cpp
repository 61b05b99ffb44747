// Runs every CASE of the other files here; `make sanitize` builds it with csrc/ (less bind/) under ASan and UBSan.
#include "check.hpp"

int main() {
    for (const auto& [name, run] : check::cases()) {
        std::printf("%s\n", name);
        std::fflush(stdout);
        run();
    }
    std::printf("%zu passed, 0 failed\n", check::cases().size());
    return check::cases().empty();  // a binary without a case has tested nothing
}
