// A file on its way into the engine, and as much of it as is published back to the server. Says
// where segments begin before anything of them is made. After a restart it reads from the beginning
// again and gives nothing away before the segment that it shall go on with: what it said before, it
// would say again. The worker's thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "server/picture/wire/messages.hpp"
#include "transcoder/file/input.hpp"
#include "transcoder/file/segment_grid.hpp"
#include "transcoder/ladder/engine.hpp"

namespace kapok::transcoder {

class FileRun {
 public:
  using Say = std::function<void(const wire::FromWorker&)>;
  // What cannot be read or cut is said on the wire; then there is no run (null).
  static std::unique_ptr<FileRun> begin(int descriptor, const wire::FileStart& start,
                                        ladder::Engine& engine, Say say);

  enum class Step : std::uint8_t {
    again,
    finished,  // all of it is in the engine
    refused,   // and was said so
  };
  // A packet. Waits while the engine has enough. Errors are the engine's.
  Result<Step> step();

 private:
  FileRun(const wire::FileStart& start, std::unique_ptr<file::Input> input, ladder::Engine& engine,
          Say say);
  void announce();
  Result<Step> take_leading(file::Input::Item item);
  Result<Step> take_other(const file::Input::Item& item);
  Result<void> give(const file::Input::Item& item, ladder::SegmentStart start);
  Result<void> give_held();
  void hold(file::Input::Item item);
  Step refuse(wire::FileRefused::Why why, std::string text);
  nanoseconds time_of(const media::Packet& packet, media::Ticks ticks) const;
  const file::Source& source_of(const media::Packet& packet) const;
  bool is_published(const media::Packet& packet) const;

  const wire::FileStart start_;
  std::unique_ptr<file::Input> input_;
  ladder::Engine& engine_;
  const Say say_;
  std::vector<bool> published_;  // by track
  file::SegmentGrid grid_;
  // Before the first segment to make: what a decoder needs to begin with that.
  std::deque<file::Input::Item> held_;
  std::size_t held_bytes_ = 0;
  bool begun_ = false;
};

}  // namespace kapok::transcoder
