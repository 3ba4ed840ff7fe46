#include "server/picture/protocols/srt/reject_reason.hpp"

#include <gtest/gtest.h>

namespace kapok::srt {
namespace {

TEST(RejectReason, TravelsAsItsCodeAndAThousand) {
  EXPECT_EQ(handshake_type_of(RejectReason::bad_secret), 1010U);
  EXPECT_EQ(handshake_type_of(RejectReason::unsecure), 1011U);
  EXPECT_EQ(handshake_type_of(RejectReason::unauthorized), 2401U);
}

TEST(RejectReason, HasANameAndARemedy) {
  EXPECT_EQ(name_of(RejectReason::conflict), "conflict");
  EXPECT_EQ(name_of(static_cast<RejectReason>(1999)), "other");
  EXPECT_EQ(explain(RejectReason::bad_secret), "the passphrase is not the one of the other side");
  EXPECT_FALSE(explain(static_cast<RejectReason>(4242)).empty());
}

TEST(RejectReason, TellsACallerWhatItsPublishKeyWasWorth) {
  EXPECT_EQ(reject_reason_of(Errc::malformed), RejectReason::bad_request);
  EXPECT_EQ(reject_reason_of(Errc::denied), RejectReason::unauthorized);
  EXPECT_EQ(reject_reason_of(Errc::not_found), RejectReason::not_found);
  EXPECT_EQ(reject_reason_of(Errc::conflict), RejectReason::conflict);
  EXPECT_EQ(reject_reason_of(Errc::limit), RejectReason::overload);
}

}  // namespace
}  // namespace kapok::srt
