// What the worker gives up before it reads a hostile bitstream: new privileges, core files, opening
// of files, sockets, other programs and other processes, and memory without end. Libraries, drivers
// and their tables must have been loaded before. What a GPU's driver needs at run time is left to
// it: docs/gpu.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/base/result.hpp"
#include "server/media/ladder.hpp"

namespace kapok::transcoder {

enum class Profile : std::uint8_t {
  software,
  processor,  // Vulkan on a processor: no more than anonymous files, and no bound of memory
  gpu,        // a driver of the kernel's: ioctl, its nodes, its libraries and what they read
};

// Files alone, which landlock closes to the calling thread and those that it starts: for the GPU's
// profile before the engine's threads are there. The others need no such thing, for they have no
// system call that opens a file. Returns as close_sandbox().
std::string close_files(Profile profile);
// Before there is a second thread: what a worker that root has started could still do as such (give
// its threads real-time priority, open anybody's files). Errors: internal.
Result<void> drop_capabilities();

// Before there is a second thread, and before a library starts one that would choose its cores
// itself (x265 does): this process and what it starts run on the cores of `list` ("2,3") alone, and
// cannot take others. Errors: config (no such list, none of them is there), io (no seccomp).
Result<void> bind_to_cores(std::string_view list);

// How much address space a worker in software may have: pictures of 8K in every queue, encoders of
// every rung, and each core's threads with their stacks and heaps.
std::uint64_t address_space_for(const media::Ladder& ladder, unsigned cores);

// All threads there are and will be. Returns what holds now, for the log: "no-new-privileges
// no-core seccomp landlock-4"; what this kernel lacks is named as missing ("no landlock: ...").
// Errors: io, when not even seccomp can be had.
Result<std::string> close_sandbox(Profile profile, const media::Ladder& ladder);

}  // namespace kapok::transcoder
