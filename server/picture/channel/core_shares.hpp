// Which cores each transcoder process may use, where the operator bounds how many: those that the
// fewest others use, so that neither a hostile bitstream nor a ladder too large takes the whole
// machine. Shared by all shards.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace kapok::channel {

class CoreShares : public std::enable_shared_from_this<CoreShares> {
 public:
  // Of one process, from its start to its end.
  class Share {
   public:
    Share(Share&& other) noexcept = default;
    Share& operator=(Share&&) = delete;
    ~Share();
    // For kapok-transcoder --cores: "2,3"; empty: all.
    std::string list() const;

   private:
    friend class CoreShares;
    Share(std::shared_ptr<CoreShares> shares, std::vector<std::size_t> places)
        : shares_(std::move(shares)), places_(std::move(places)) {}
    std::shared_ptr<CoreShares> shares_;  // null: moved from
    std::vector<std::size_t> places_;     // in cores_
  };

  // `cores`: numbers of those that there are, as usable_cores() has them. `each`: how many of them
  // one process gets; 0, or no fewer than there are: all.
  CoreShares(const std::vector<unsigned>& cores, std::size_t each);
  Share take();

 private:
  struct Core {
    unsigned number;
    unsigned users = 0;
  };

  std::size_t each_;
  // A mutex: processes are started on many shards, and each comes here twice in its life.
  std::mutex mutex_;
  std::vector<Core> cores_;  // empty: not bounded
};

// The numbers of the cores that this thread may use, and so what it starts. Empty: the kernel does
// not say.
std::vector<unsigned> usable_cores();

}  // namespace kapok::channel
