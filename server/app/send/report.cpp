#include "server/app/send/report.hpp"

#include <fmt/format.h>

namespace kapok::send_app {

LinkCounts& LinkCounts::operator+=(const LinkCounts& other) {
  bytes += other.bytes;
  packets += other.packets;
  lost += other.lost;
  resent += other.resent;
  dropped += other.dropped;
  return *this;
}

std::string progress_line(seconds since_start, double mbps, const std::vector<LinkLine>& links) {
  const auto s = since_start.count();
  std::string line =
      fmt::format("{:02}:{:02}:{:02}  {:.1f} Mb/s", s / 3600, s / 60 % 60, s % 60, mbps);
  for (const LinkLine& link : links) {
    line += fmt::format(" | {} ", link.name);
    if (!link.up) {
      line += link.state;
      continue;
    }
    line += fmt::format("rtt {:.1f} ms, {:.1f} Mb/s, lost {}, resent {}",
                        static_cast<double>(link.rtt.count()) / 1000, link.mbps, link.counts.lost,
                        link.counts.resent);
    if (link.counts.dropped > 0) line += fmt::format(", too late {}", link.counts.dropped);
  }
  return line + "\n";
}

std::string summary(milliseconds took, std::uint64_t feed_bytes, std::uint64_t undelivered_messages,
                    const std::vector<LinkLine>& links) {
  std::string text =
      fmt::format("sent {:.1f} MB in {:.1f} s", static_cast<double>(feed_bytes) / 1e6,
                  static_cast<double>(took.count()) / 1000);
  if (undelivered_messages > 0)
    text += fmt::format("; {} messages fell out while no link was up", undelivered_messages);
  text += "\n";
  for (const LinkLine& link : links)
    text +=
        fmt::format("  {}: {:.1f} MB in {} packets, lost {}, resent {}, too late {}\n", link.name,
                    static_cast<double>(link.counts.bytes) / 1e6, link.counts.packets,
                    link.counts.lost, link.counts.resent, link.counts.dropped);
  return text;
}

}  // namespace kapok::send_app
