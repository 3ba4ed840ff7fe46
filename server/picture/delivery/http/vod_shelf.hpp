// One shard's finished items of the VOD library. All calls come from the shard.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "server/picture/packaging/closed_window.hpp"

namespace kapok::delivery {

class VodShelf {
 public:
  using Item = std::shared_ptr<const packaging::ClosedWindow>;

  // null: it is gone; what is being sent of it is sent to its end.
  void put(const std::string& id, Item item) {
    if (item)
      items_.insert_or_assign(id, std::move(item));
    else
      items_.erase(id);
  }
  Item find(std::string_view id) const {
    const auto found = items_.find(id);
    return found == items_.end() ? nullptr : found->second;
  }

 private:
  std::map<std::string, Item, std::less<>> items_;
};

}  // namespace kapok::delivery
