// One caller that receives a channel: its SRT connection, driven by its shard, and the link that
// SRT output sends through. Lives on the shard that the viewer asked for.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "server/base/log.hpp"
#include "server/picture/ingest/srt/feed.hpp"
#include "server/picture/protocols/srt/viewers.hpp"

namespace kapok::ingest {

class SrtViewerLine final : public SrtLine, public std::enable_shared_from_this<SrtViewerLine> {
 public:
  SrtViewerLine(SrtCarrier carrier, SrtLink link, std::shared_ptr<srt::Viewer> viewer,
                SrtShard& shard, SrtMetrics& metrics);
  ~SrtViewerLine() override;

  void begin();
  void cut(std::string reason);

  void receive(MonoTime now, srt::SocketId id, const net::ReceivedDatagram& datagram,
               srt::Output& out) override;
  bool advance(MonoTime now, srt::Output& out) override;
  MonoTime next_deadline() const override;
  const net::UdpPath& path_to(const srt::PeerAddress&) const override { return link_.path; }

 private:
  class Link;
  void handle(srt::Output& out);

  SrtCarrier carrier_;
  SrtLink link_;
  std::shared_ptr<srt::Viewer> viewer_;
  SrtShard& shard_;
  SrtMetrics& metrics_;
  std::optional<std::string> cut_;
  bool told_ = false;  // the peer, of the cut
  bool over_ = false;
  bool sent_ = false;  // since it advanced last
};

}  // namespace kapok::ingest
