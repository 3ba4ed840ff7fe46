// Boost.JSON and {fmt} built into the program: an auditor's machine needs libcrypto and the C++
// runtime, nothing else. The linker then drops the shared ones (--as-needed); a test looks.
#include <fmt/format-inl.h>

// Every source that uses the precompiled header mentions Asio's error categories; without these the
// linker would take all of Asio, and libssl with it.
#include <boost/asio/error.hpp>
#include <boost/asio/impl/error.ipp>
#include <boost/json/src.hpp>

// What {fmt}'s own src/format.cc instantiates, as far as we use it.
FMT_BEGIN_NAMESPACE
namespace detail {
template FMT_API auto dragonbox::to_decimal(float x) noexcept -> dragonbox::decimal_fp<float>;
template FMT_API auto dragonbox::to_decimal(double x) noexcept -> dragonbox::decimal_fp<double>;
template FMT_API locale_ref::locale_ref(const std::locale& loc);
template FMT_API auto locale_ref::get<std::locale>() const -> std::locale;
template FMT_API auto thousands_sep_impl(locale_ref) -> thousands_sep_result<char>;
template FMT_API auto decimal_point_impl(locale_ref) -> char;
template FMT_API void buffer<char>::append(const char*, const char*);
template FMT_API void vformat_to(buffer<char>&, string_view,
                                 basic_format_args<FMT_BUFFER_CONTEXT(char)>, locale_ref);
}  // namespace detail
FMT_END_NAMESPACE
