// Any bytes as what a worker, perhaps no longer its own master, sends to the server.
#include "wire_round_trip.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kapok::fuzz::check_wire<kapok::wire::FromWorker>(data, size);
  return 0;
}
