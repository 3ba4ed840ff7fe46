// MPEG-TS to feed items [ISO/IEC 13818-1]: one object per feed, fed with the bytes of one single
// program transport stream as they come, in pieces of any size. It finds packets and tables,
// describes tracks from their own bitstreams, cuts access units (by AUD and first slices, not by
// PES packets alone), unwraps times, and says where the clock jumped. Of several programs the first
// is taken. Track ids are PIDs; video, sections and opaque streams count in 90 kHz, audio in
// samples.
//
// Bad input is never fatal while packets can be found: what was damaged is dropped and counted, and
// the stream goes on with the next access unit. Owned by one connection, used from its shard.
// Memory: at most kMaxPendingBytes of unfinished access units.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/base/clock.hpp"
#include "server/base/result.hpp"
#include "server/media/feed.hpp"
#include "server/picture/containers/mpegts/stats.hpp"

namespace kapok::mpegts {

class TsDemuxer {
 public:
  using Items = std::vector<media::FeedItem>;

  TsDemuxer();
  ~TsDemuxer();
  TsDemuxer(const TsDemuxer&) = delete;
  TsDemuxer& operator=(const TsDemuxer&) = delete;

  // Appends to `out`. `arrival`: when these bytes were read (or, from SRT, were due). The only
  // error: these bytes are no transport stream at all (malformed); close the feed then.
  Result<void> push(MonoTime arrival, ByteSpan bytes, Items& out);
  // The feed ended: gives the access units that only waited for the start of the next one.
  void finish(Items& out);

  const TsStats& stats() const;
  std::vector<PidStats> pids() const;
  // What was left out and why, each once, for the log.
  std::vector<std::string> take_notices();

 private:
  class Program;
  std::unique_ptr<Program> program_;
};

}  // namespace kapok::mpegts
