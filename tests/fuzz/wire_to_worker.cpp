// Any bytes as what a channel sends to its worker.
#include "wire_round_trip.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kapok::fuzz::check_wire<kapok::wire::ToWorker>(data, size);
  return 0;
}
