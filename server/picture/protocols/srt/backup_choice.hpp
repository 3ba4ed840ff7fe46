// Which links of a main/backup group carry the stream [libsrt
// docs/features/bonding-main-backup.md]: one, the stable one of greatest weight; another as well
// while that one is not answering as it should. Looked at whenever a message is sent: only then is
// an answer owed. Knows no packets, only what links tell of themselves.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "server/base/clock.hpp"
#include "server/picture/protocols/srt/stats.hpp"

namespace kapok::srt {

// What is known of a link at this moment.
struct LinkHealth {
  MonoTime last_heard;
  microseconds rtt{0};
  microseconds rtt_variance{0};
  milliseconds latency{0};
  std::uint64_t dropped = 0;  // packets too old to be sent, since the beginning
};

class BackupStanding {
 public:
  explicit BackupStanding(std::uint16_t weight) : weight_(weight) {}

  void qualify(MonoTime now, const LinkHealth& health);
  void activate(MonoTime now, const LinkHealth& health);
  void silence();
  // It did not take a packet, or dropped one.
  void failed() {
    if (active()) state_ = LinkState::unstable;
  }

  LinkState state() const { return state_; }
  std::uint16_t weight() const { return weight_; }
  bool active() const { return state_ != LinkState::idle; }
  bool trusted() const { return state_ == LinkState::stable || state_ == LinkState::fresh; }

 private:
  std::uint16_t weight_;
  LinkState state_ = LinkState::idle;
  MonoTime activated_at_;
  MonoTime wary_since_;
  std::uint64_t dropped_ = 0;
};

// The idle link to be activated now: when no active one can be trusted, or it weighs more than all
// active ones.
std::optional<std::size_t> link_to_activate(std::span<const BackupStanding* const> links);
// Those to fall silent: all active ones that come after the first stable one.
std::vector<std::size_t> links_to_silence(std::span<const BackupStanding* const> links);

}  // namespace kapok::srt
