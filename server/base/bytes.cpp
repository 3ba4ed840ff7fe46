#include "server/base/bytes.hpp"

namespace kapok {

std::unexpected<Error> ByteReader::cut_short(std::size_t wanted) const {
  return fail(Errc::malformed, "cut short at byte {}: {} wanted, {} left", at_, wanted, left());
}

}  // namespace kapok
