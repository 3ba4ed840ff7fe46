// How much memory the machine has left, for files on a tmpfs.
#pragma once

#include <cstdint>
#include <string_view>

namespace kapok::packaging {

// All in bytes; 0 where the kernel does not tell.
struct MachineMemory {
  std::uint64_t total = 0;
  std::uint64_t available = 0;  // without swapping
  std::uint64_t swap = 0;

  // Of the text of /proc/meminfo, and as it is now.
  static MachineMemory parse(std::string_view meminfo);
  static MachineMemory now();

  // What files may still take. Others keep 1 GiB where nothing can be swapped; where it can, 256
  // MiB. No bound where the kernel does not tell.
  std::uint64_t left() const;
  // Less than an eighth is available, and the kernel makes room by moving the oldest pages to swap.
  bool may_swap() const;
};

// may_swap() of the machine, looked at once a second at most. Any thread.
bool machine_may_swap();

}  // namespace kapok::packaging
