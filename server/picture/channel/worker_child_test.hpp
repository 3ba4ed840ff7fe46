// Tests only: this test program started as a worker. With `--child=<how>` as its first argument it
// speaks the wire on fd 3 and behaves as told instead of running tests.
#pragma once

#include <filesystem>
#include <string>

#include "server/picture/channel/child_process.hpp"

namespace kapok::channel {

// passthrough: every source packet comes back as a packet of each video rung of the ladder.
// silent: it greets and says nothing more. mute: it does not even greet.
// garbage: what it says is no wire. flood: notices without end.
// crash: it ends with status 7 at the first packet. deaf: it reads nothing.
// stubborn: passthrough, but it does not end when told to drain.
inline ChildProgram worker_child(const std::string& how) {
  return {std::filesystem::read_symlink("/proc/self/exe"), {"--child=" + how}};
}

}  // namespace kapok::channel
