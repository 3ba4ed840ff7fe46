// SRT output: callers that ask for a channel (m=request) get it as MPEG-TS, with what cannot be
// packaged too, untouched. Who may watch is decided as for /live/: anybody or the edges only
// (delivery.anonymous), or the holder of a session token (`s` of the stream id); such viewing is
// not credited, because nothing reports what was played. A channel with an SRT passphrase goes out
// encrypted by it. The listener of SRT ingest owns sockets and connections and asks here
// (srt::ViewerDirectory). All receivers of a channel share one multiplexer, on one shard.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/access/session_token.hpp"
#include "server/base/clock.hpp"
#include "server/base/log.hpp"
#include "server/base/metrics.hpp"
#include "server/media/feed_source.hpp"
#include "server/picture/delivery/srt/output_shard.hpp"
#include "server/picture/protocols/srt/viewers.hpp"

namespace kapok::delivery {

struct SrtOutputServices {
  std::vector<boost::asio::any_io_executor> shards;  // the listener's
  media::FeedSource& source;
  const access::TokenSigner* signer = nullptr;  // null: no session opens anything
  // delivery.anonymous, for "192.0.2.1:51234". Called on the listener's first shard.
  std::function<bool(std::string_view peer)> may_watch_anonymously;
  // The channel's own; empty: in clear. Called on the listener's first shard.
  std::function<std::string(std::string_view channel)> passphrase;
  const Clock& clock;
  Log log;
  Metrics& metrics;
};

class SrtOutput final : public srt::ViewerDirectory {
 public:
  explicit SrtOutput(SrtOutputServices services);
  ~SrtOutput() override;  // drain() first

  Task<Result<srt::ViewerGrant>> open(srt::ViewerRequest request) override;

  // Says goodbye to everybody; after the listener has been drained, or as it is. From any shard,
  // once.
  Task<> drain();

 private:
  Result<void> admit(const srt::ViewerRequest& request) const;

  SrtOutputServices services_;
  SrtOutputSeries series_;
  std::vector<std::unique_ptr<SrtOutputShard>> shards_;
};

}  // namespace kapok::delivery
