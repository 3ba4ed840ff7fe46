// Hours: programme hours offered (A) and viewing hours (B), for administrators and regulators.
#include <fmt/format.h>

#include "server/api/api.hpp"
#include "server/api/rfc3339.hpp"
#include "server/api/route.hpp"
#include "server/base/ids.hpp"

namespace kapok::api {
namespace {

Result<std::optional<UtcTime>> time_parameter(const http::Request& request, std::string_view name) {
  const auto text = request.query_value(name);
  if (!text || text->empty()) return std::nullopt;
  // '+' in a query is a space to many clients, so an offset's plus may come as one.
  std::string mended = *text;
  if (mended.size() > 6 && mended[mended.size() - 6] == ' ') mended[mended.size() - 6] = '+';
  const auto time = parse_time_or_date(mended);
  if (!time)
    return fail(Errc::malformed,
                "{}: neither a date (2026-11-23) nor a time (2026-11-23T20:00:00+08:00)", name);
  return time;
}

Result<std::string> id_parameter(const http::Request& request, std::string_view name) {
  auto text = request.query_value(name);
  if (!text || text->empty()) return std::string();
  if (!is_valid_id(*text)) return fail(Errc::malformed, "{}: not a name", name);
  return std::move(*text);
}

Result<ReportQuery> read_query(const http::Request& request) {
  ReportQuery query;
  query.from = KAPOK_TRY(time_parameter(request, "from"));
  query.to = KAPOK_TRY(time_parameter(request, "to"));
  if (query.from && query.to && *query.to <= *query.from)
    return fail(Errc::malformed, "to: not after from");
  query.enterprise = KAPOK_TRY(id_parameter(request, "enterprise"));
  query.channel = KAPOK_TRY(id_parameter(request, "channel"));
  query.programme = KAPOK_TRY(id_parameter(request, "programme"));
  const std::string format = request.query_value("format").value_or("json");
  if (format != "json" && format != "csv")
    return fail(Errc::malformed, "format: neither json nor csv");
  query.format = format == "csv" ? ReportFormat::csv : ReportFormat::json;
  return query;
}

Task<Answer> report_hours(Call call) {
  ReportQuery query = KAPOK_CO_TRY(read_query(*call.request));
  const ReportFormat format = query.format;
  auto made = co_await call.api.services().reports.hours(std::move(query));
  std::string text = KAPOK_CO_TRY(std::move(made));
  if (format == ReportFormat::json) co_return http::Response::json(200, std::move(text));
  auto response = http::Response::text(200, "text/csv; charset=utf-8", std::move(text));
  response.with("Cache-Control", "no-store");
  response.with("Content-Disposition", "attachment; filename=\"kapok-hours.csv\"");
  co_return response;
}

constexpr QueryParameter kQuery[] = {
    {"from", "First moment: RFC 3339, or a date, which begins at 00:00 UTC+08:00",
     R"({"type":"string"})"},
    {"to", "The moment after the last, likewise", R"({"type":"string"})"},
    {"format", "json or csv", R"({"type":"string","enum":["json","csv"],"default":"json"})"},
    {"enterprise", "Only this enterprise", R"({"type":"string"})"},
    {"channel", "Only this channel", R"({"type":"string"})"},
    {"programme", "Only this programme", R"({"type":"string"})"},
};
constexpr Outcome kReport[] = {
    {200, "The report; with format=csv as text/csv", "application/json", "HoursReport"}};

constexpr Route kRoutes[] = {
    {http::Method::get, "/api/v1/reports/hours", "reportHours", "reports",
     "Programme hours (A) and viewing hours (B), kept apart", Audience::admin_or_regulator,
     report_hours, "", kQuery, kReport},
};

}  // namespace

std::span<const Route> report_routes() {
  return kRoutes;
}

}  // namespace kapok::api
