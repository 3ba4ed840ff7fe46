// The VOD library: what can be watched for everybody; files into ladders for administrators.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "server/api/api.hpp"
#include "server/api/json_reader.hpp"
#include "server/api/route.hpp"
#include "server/base/ids.hpp"

namespace kapok::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxVodRequestBytes = 8 * 1024;
constexpr std::size_t kMaxTitleBytes = 256;
constexpr std::size_t kMaxPathBytes = 1024;

double in_seconds(nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

json::value text_or_null(const std::string& text) {
  if (text.empty()) return nullptr;
  return json::value(text);
}

json::object summary(const vod::ItemFacts& item) {
  json::object out;
  out["id"] = item.id;
  out["title"] = item.title;
  out["state"] = vod::name_of(item.state);
  out["created"] = format_utc(item.created);
  out["duration_s"] = nullptr;
  if (item.duration > nanoseconds(0)) out["duration_s"] = in_seconds(item.duration);
  const bool done = item.state == vod::ItemState::done;
  out["hls"] = text_or_null(done ? fmt::format("/vod/{}/master.m3u8", item.id) : "");
  out["dash"] = text_or_null(done ? fmt::format("/vod/{}/manifest.mpd", item.id) : "");
  out["poster"] = text_or_null(item.has_poster ? fmt::format("/vod/{}/poster.jpg", item.id) : "");
  return out;
}

json::object detail(const vod::ItemFacts& item) {
  json::object out = summary(item);
  out["file"] = item.file;
  out["ladder"] = item.ladder;
  out["percent"] = item.percent();
  out["made_s"] = in_seconds(item.made);
  out["fps"] = item.frames_per_second;
  out["speed"] = item.speed;
  out["eta_s"] = nullptr;
  if (item.left) out["eta_s"] = in_seconds(*item.left);
  out["segments"] = item.segments;
  out["bytes"] = item.bytes;
  out["restarts"] = item.restarts;
  out["renditions"] = json::array(item.renditions.begin(), item.renditions.end());
  out["error"] = text_or_null(item.error);
  out["source_left_out"] = text_or_null(item.source_left_out);
  json::array left_out;
  for (const media::RungLeftOut& left : item.left_out)
    left_out.push_back({{"rung", left.rung}, {"why", left.why}});
  out["left_out"] = std::move(left_out);
  return out;
}

http::Response answer_with(unsigned status, const json::object& out) {
  return http::Response::json(status, json::serialize(out) + "\n");
}

Task<Answer> list_vod(Call call) {
  const auto items = co_await call.api.services().vod.vod_items();
  json::array list;
  for (const vod::ItemFacts& item : items)
    if (item.state == vod::ItemState::done) list.push_back(summary(item));
  json::object out;
  out["items"] = std::move(list);
  co_return answer_with(200, out);
}

Task<Answer> list_vod_jobs(Call call) {
  const auto items = co_await call.api.services().vod.vod_items();
  json::array list;
  for (const vod::ItemFacts& item : items) list.push_back(detail(item));
  json::object out;
  out["items"] = std::move(list);
  co_return answer_with(200, out);
}

Task<Answer> show_vod(Call call) {
  std::string id = KAPOK_CO_TRY(call.id("item"));
  auto found = co_await call.api.services().vod.vod_item(std::move(id));
  const vod::ItemFacts item = KAPOK_CO_TRY(std::move(found));
  co_return answer_with(200, detail(item));
}

Task<Answer> add_vod(Call call) {
  const auto body = KAPOK_CO_TRY(parse_json_object(call.request->body.text(), kMaxVodRequestBytes));
  const JsonReader in(body);
  VodRequest request;
  request.id = KAPOK_CO_TRY(in.text("id", kMaxIdLength));
  if (!is_valid_id(request.id))
    co_return std::unexpected(Problem(400, "malformed", "id is not one",
                                      "a-z, 0-9, '-' and '_', at most 64 characters, a letter or "
                                      "digit first"));
  request.title = request.id;
  if (body.contains("title")) request.title = KAPOK_CO_TRY(in.text("title", kMaxTitleBytes));
  request.file = KAPOK_CO_TRY(in.text("file", kMaxPathBytes));
  request.ladder = KAPOK_CO_TRY(in.text("ladder", kMaxIdLength));
  request.publish_source = KAPOK_CO_TRY(in.boolean_or("source", true));
  auto added = co_await call.api.services().vod.add_vod(std::move(request));
  const vod::ItemFacts item = KAPOK_CO_TRY(std::move(added));
  co_return answer_with(201, detail(item));
}

Task<Answer> remove_vod(Call call) {
  std::string id = KAPOK_CO_TRY(call.id("item"));
  auto removed = co_await call.api.services().vod.remove_vod(std::move(id));
  KAPOK_CO_TRY(std::move(removed));
  co_return http::Response{204, {{"Cache-Control", "no-store"}}, {}};
}

constexpr Outcome kList[] = {{200, "What can be watched", "application/json", "VodList"}};
constexpr Outcome kJobs[] = {
    {200, "All items, with their progress", "application/json", "VodList"}};
constexpr Outcome kItem[] = {{200, "The item", "application/json", "VodItem"}};
constexpr Outcome kAdded[] = {{201,
                               "It will be made; one that failed is tried again where it stopped",
                               "application/json", "VodItem"}};
constexpr Outcome kRemoved[] = {{204, "Cancelled and removed, with all its files", "", ""}};

constexpr Route kRoutes[] = {
    {http::Method::get,
     "/api/v1/vod",
     "listVod",
     "vod",
     "Films and recordings that can be watched",
     Audience::everybody,
     list_vod,
     "",
     {},
     kList},
    {http::Method::post,
     "/api/v1/vod",
     "addVod",
     "vod",
     "Make a file into a ladder",
     Audience::admin,
     add_vod,
     "VodRequest",
     {},
     kAdded},
    {http::Method::get,
     "/api/v1/vod-jobs",
     "listVodJobs",
     "vod",
     "Every item, those too that are being made or have failed",
     Audience::admin,
     list_vod_jobs,
     "",
     {},
     kJobs},
    {http::Method::get,
     "/api/v1/vod/{item}",
     "showVod",
     "vod",
     "One item with its progress",
     Audience::admin,
     show_vod,
     "",
     {},
     kItem},
    {http::Method::del,
     "/api/v1/vod/{item}",
     "removeVod",
     "vod",
     "Cancel or remove an item",
     Audience::admin,
     remove_vod,
     "",
     {},
     kRemoved},
};

}  // namespace

std::span<const Route> vod_routes() {
  return kRoutes;
}

}  // namespace kapok::api
