// The log of hours as C2SP tlog-tiles: checkpoint and hash tiles for everybody, entries for
// regulators, each read of those in the audit log.
#include "server/api/api.hpp"
#include "server/api/route.hpp"
#include "server/hours/ledger/tile.hpp"

namespace kapok::api {
namespace {

constexpr std::string_view kBinary = "application/octet-stream";

Task<Answer> read_checkpoint(Call call) {
  auto read = co_await call.api.services().ledger.checkpoint();
  std::string note = KAPOK_CO_TRY(std::move(read));
  auto response = http::Response::text(200, "text/plain; charset=utf-8", std::move(note));
  response.with("Cache-Control", "public, max-age=1");
  co_return response;
}

// The rest of the path behind /log/tile/. Errors: a 404 problem for what is no tile's name.
std::expected<ledger::TilePath, Problem> tile_path(std::string_view text) {
  const auto path = ledger::parse_tile_path(text);
  if (path) return *path;
  return std::unexpected(Problem(404, "not_found", "there is no such tile",
                                 "names are as in C2SP tlog-tiles: 0/x001/067, 0/x001/067.p/17"));
}

Task<Answer> read_tile(Call call) {
  const auto path = KAPOK_CO_TRY(tile_path(call.parameters["path"]));
  // The kind decides, not the route: entries name households' sessions, by pseudonym.
  if (path.kind != ledger::TileKind::hashes)
    co_return std::unexpected(Problem(404, "not_found", "there is no such tile", ""));
  auto read = co_await call.api.services().ledger.tile(path);
  Buffer bytes = KAPOK_CO_TRY(std::move(read));
  http::Response response{200, {{"Content-Type", std::string(kBinary)}}, std::move(bytes)};
  // [C2SP tlog-tiles] a tile of a given name never changes, a partial one neither.
  response.with("Cache-Control", "public, max-age=31536000, immutable");
  co_return response;
}

Task<Answer> read_entries(Call call) {
  const auto path = KAPOK_CO_TRY(tile_path("entries/" + call.parameters["path"]));
  if (path.kind != ledger::TileKind::entries)
    co_return std::unexpected(Problem(404, "not_found", "there is no such tile", ""));
  auto read = co_await call.api.services().ledger.tile(path);
  Buffer bytes = KAPOK_CO_TRY(std::move(read));
  http::Response response{200, {{"Content-Type", std::string(kBinary)}}, std::move(bytes)};
  response.with("Cache-Control", "no-store");
  co_return response;
}

constexpr Outcome kCheckpoint[] = {{200, "A signed note (C2SP tlog-checkpoint)", "text/plain", ""}};
constexpr Outcome kTile[] = {{200, "Hashes of one tile", kBinary, ""}};
constexpr Outcome kEntries[] = {{200, "Entries of one bundle", kBinary, ""}};

constexpr Route kRoutes[] = {
    {http::Method::get,
     "/log/checkpoint",
     "readCheckpoint",
     "log",
     "The latest signed checkpoint of the log of hours",
     Audience::everybody,
     read_checkpoint,
     "",
     {},
     kCheckpoint},
    {http::Method::get,
     "/log/tile/entries/{path...}",
     "readEntries",
     "log",
     "Entries of the log; every read is logged",
     Audience::regulator,
     read_entries,
     "",
     {},
     kEntries},
    {http::Method::get,
     "/log/tile/{path...}",
     "readTile",
     "log",
     "Hash tiles of the log",
     Audience::everybody,
     read_tile,
     "",
     {},
     kTile},
};

}  // namespace

std::span<const Route> log_routes() {
  return kRoutes;
}

}  // namespace kapok::api
