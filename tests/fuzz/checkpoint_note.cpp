// Arbitrary text as a signed note, a checkpoint, a key and a tile path; what is understood comes
// back the same.
#include <cstdlib>

#include "server/hours/ledger/note.hpp"
#include "server/hours/ledger/tile.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kapok;
  const std::string_view text = as_text(as_bytes(data, size));
  static const ledger::Ed25519Verifier kVerifier =
      ledger::Ed25519Signer::generate("fuzz.example/log").verifier();
  if (ledger::open_note(text, std::span(&kVerifier, 1))) std::abort();
  const auto checkpoint = ledger::parse_checkpoint(text);
  if (checkpoint && ledger::parse_checkpoint(checkpoint_text(*checkpoint)).value() != *checkpoint)
    std::abort();
  const auto path = ledger::parse_tile_path(text);
  if (path && to_string(*path) != text) std::abort();
  const auto verifier = ledger::Ed25519Verifier::parse(text);
  if (verifier && !ledger::Ed25519Verifier::parse(verifier->text())) std::abort();
  static_cast<void>(ledger::Ed25519Signer::parse(text));
  return 0;
}
