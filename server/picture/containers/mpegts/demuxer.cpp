#include "server/picture/containers/mpegts/demuxer.hpp"

#include "server/picture/containers/mpegts/program.hpp"

namespace kapok::mpegts {

TsDemuxer::TsDemuxer() : program_(std::make_unique<Program>()) {}
TsDemuxer::~TsDemuxer() = default;

Result<void> TsDemuxer::push(MonoTime arrival, ByteSpan bytes, Items& out) {
  return program_->push(arrival, bytes, out);
}
void TsDemuxer::finish(Items& out) {
  program_->finish(out);
}
const TsStats& TsDemuxer::stats() const {
  return program_->outlet().stats;
}
std::vector<PidStats> TsDemuxer::pids() const {
  return program_->pids();
}
std::vector<std::string> TsDemuxer::take_notices() {
  return program_->outlet().take_notices();
}

}  // namespace kapok::mpegts
