// Which devices the workers of all channels work on, so that the next one can take a device that
// has fewer: it is told at its start, and chooses itself, because it alone knows what works. Shared
// by all shards.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "server/media/device.hpp"

namespace kapok::channel {

class DeviceLoad : public std::enable_shared_from_this<DeviceLoad> {
 public:
  // One worker's place in it, from its start to its end.
  class Place {
   public:
    Place(Place&& other) noexcept = default;
    Place& operator=(Place&&) = delete;
    ~Place();
    // What the others have, for kapok-transcoder --busy: "nvidia:0=3,nvidia:1=2,starting=1";
    // empty: nothing.
    const std::string& others() const { return others_; }
    // It works there now, as it says: what is no device counts as software.
    void uses(std::string_view device);

   private:
    friend class DeviceLoad;
    Place(std::shared_ptr<DeviceLoad> load, std::string others)
        : load_(std::move(load)), others_(std::move(others)) {}
    std::shared_ptr<DeviceLoad> load_;  // null: moved from
    std::string others_;
    std::optional<media::DeviceId> device_;  // absent: it has not said yet
  };
  Place enter();

 private:
  std::string words() const;
  void leave(const std::optional<media::DeviceId>& device);

  // A mutex: workers live on many shards, and each comes here three times in its life.
  std::mutex mutex_;
  unsigned starting_ = 0;
  std::map<media::DeviceId, unsigned> workers_;  // software too
};

}  // namespace kapok::channel
