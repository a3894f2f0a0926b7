// SPDX-License-Identifier: Apache-2.0
// Errors as values. Every function that can fail for a reason outside the program returns Result<T>;
// programmer errors are CHECKs. Member names follow std::expected so that Result can become an alias.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace handeye {

/// What went wrong, as a closed set. The control API's error kinds are derived from it.
enum class ErrorCode {
    InvalidArgument, ///< the caller passed something out of contract
    ParseFailed,     ///< text or bytes from outside do not follow their format
    OutOfBounds,     ///< a coordinate, offset or size lies outside its limit
    LimitExceeded,   ///< a named bound (bytes, pixels, tokens, steps) was passed
    NotFound,        ///< a file, window, element or name does not exist
    Unsupported,     ///< known, and not available here
    PermissionDenied,///< policy or the operating system said no
    Unavailable,     ///< a backend (display, device, engine) is missing or went away
    Overloaded,      ///< a bounded queue is full: try later
    Cancelled,       ///< stopped by a person, a signal or a stop token
    DeadlineExceeded,///< a deadline passed
    IoFailed,        ///< the operating system reported an I/O error
    OutOfMemory,     ///< not enough memory for what was asked
    EngineLost,      ///< the model's device or process is gone
    Internal,        ///< a broken promise inside the program
};

/// The enum's name in snake_case: stable, used by the API and in logs.
std::string_view error_code_name(ErrorCode code);

/// One error: the code for programs, the message for a person. The message names the thing, the value and the limit.
struct Error {
    ErrorCode code = ErrorCode::Internal;
    std::string message;

    /// The same error with "context: " put before its message.
    [[nodiscard]] Error with_context(std::string_view context) const;
};

template <class T>
class [[nodiscard]] Result {
public:
    using value_type = T;

    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}       // NOLINT(google-explicit-constructor)
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}   // NOLINT(google-explicit-constructor)

    [[nodiscard]] bool has_value() const { return state_.index() == 0; }
    explicit operator bool() const { return has_value(); }

    T& value() & { return std::get<0>(state_); }
    const T& value() const& { return std::get<0>(state_); }
    T&& value() && { return std::get<0>(std::move(state_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    [[nodiscard]] const Error& error() const& { return std::get<1>(state_); }
    [[nodiscard]] Error&& error() && { return std::get<1>(std::move(state_)); }

    template <class U>
    T value_or(U&& other) const& {
        return has_value() ? value() : static_cast<T>(std::forward<U>(other));
    }

    /// The same result; an error gets "context: " put before its message.
    Result with_context(std::string_view context) && {
        if (has_value()) {
            return std::move(*this);
        }
        return error().with_context(context);
    }

private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    using value_type = void;

    Result() = default;
    Result(Error error) : error_(std::move(error)) {} // NOLINT(google-explicit-constructor)

    [[nodiscard]] bool has_value() const { return !error_.has_value(); }
    explicit operator bool() const { return has_value(); }
    void value() const {}
    [[nodiscard]] const Error& error() const& { return *error_; }
    [[nodiscard]] Error&& error() && { return *std::move(error_); }

    Result with_context(std::string_view context) && {
        return has_value() ? Result() : Result(error_->with_context(context));
    }

private:
    std::optional<Error> error_;
};

namespace detail {
template <class T>
T take(Result<T>&& result) {
    if constexpr (!std::is_void_v<T>) {
        return std::move(result).value();
    }
}
[[noreturn]] void check_failed(const char* expression, const char* file, int line);
} // namespace detail

} // namespace handeye

// Yields the value of a Result, or returns its error from the enclosing function. Do not nest.
#define TRY(expression)                                                                            \
    __extension__({                                                                                \
        auto try_result_ = (expression);                                                           \
        if (!try_result_.has_value())                                                              \
            return std::move(try_result_).error();                                                 \
        ::handeye::detail::take(std::move(try_result_));                                           \
    })

// A promise of the program itself; logs and aborts when broken.
#define CHECK(condition)                                                                           \
    (static_cast<bool>(condition)                                                                  \
         ? static_cast<void>(0)                                                                    \
         : ::handeye::detail::check_failed(#condition, __FILE__, __LINE__))
