// The VOD library's part of the composition root, and the transcoders that it and channels have.
#include "server/app/server/process_facts.hpp"
#include "server/app/server/server.hpp"
#include "server/app/server/shelf_fan_out.hpp"

namespace kapok::app {

channel::ChildProgram Server::transcoder_program(std::vector<std::string> arguments) {
  if (!cores_)
    cores_ =
        std::make_shared<channel::CoreShares>(channel::usable_cores(), config_.transcoder.cores);
  channel::ChildProgram program{config_.transcoder.program.empty()
                                    ? found_transcoder(this_program())
                                    : config_.transcoder.program,
                                std::move(arguments)};
  program.cores = cores_;
  return program;
}

void Server::prepare_library() {
  std::vector<ShelfFanOut::Target> targets;
  for (std::size_t i = 0; i < shards_->size(); ++i)
    targets.push_back({shards_->executor(i), live_[i].get()});
  shelf_ = std::make_unique<ShelfFanOut>(std::move(targets));
  library_shard_ = std::make_unique<Shards>(1);
  channel::ChildProgram program = transcoder_program({"--worker", "--file"});
  constexpr int kLowest = 19;  // it is never awaited: channels and their rungs go first
  program.niceness = kLowest;
  library_ = std::make_unique<vod::Library>(
      vod::LibraryOptions{.folder = config_.vod_folder(), .jobs = config_.vod.jobs},
      vod::JobSettings{
          .home = library_shard_->executor(0),
          .clock = clock_,
          .log = log_,
          .transcoder = std::move(program),
          .import_folder = config_.vod.import,
          .segment = std::chrono::duration_cast<milliseconds>(config_.vod.segment_target)},
      *shelf_, metrics_);
}

}  // namespace kapok::app
