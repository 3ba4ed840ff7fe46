// What the worker gives up before it reads a hostile bitstream: new privileges, core files, opening
// of files, sockets, other programs and other processes. Libraries and their tables must have been
// loaded before. For an engine in software; drivers of a GPU open files at run time and would need
// a weaker one.
#pragma once

#include <string>

#include "server/base/result.hpp"

namespace kapok::transcoder {

// All threads there are and will be. Returns what holds now, for the log: "no-new-privileges
// no-core seccomp landlock-4"; what this kernel lacks is named as missing ("no landlock: ...").
// Errors: io, when not even seccomp can be had.
Result<std::string> close_sandbox();

}  // namespace kapok::transcoder
