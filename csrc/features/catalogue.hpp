#pragma once
#include <vector>

#include "features/families.hpp"

namespace smartcore {

struct Entry {
    const Family* family;
    const Kind* kind;
};

// Every kernel, in the order of the families and of their tables.
inline const std::vector<Entry>& catalogue() {
    static const std::vector<Entry> all = [] {
        std::vector<Entry> entries;
        for (const Family* family : families)
            for (const Kind& kind : family->kinds) entries.push_back({family, &kind});
        return entries;
    }();
    return all;
}

}  // namespace smartcore
