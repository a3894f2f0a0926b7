// SPDX-License-Identifier: Apache-2.0
// Encoding and decoding with a loaded tokenizer. Loading: tokenizer_load.cpp.
#include "engine/tokenizer/tokenizer.h"

#include "engine/tokenizer/tokenizer_data.h"
#include "engine/tokenizer/utf8.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kAddedMax = 65536;

} // namespace

Result<Tokenizer> TokenizerBuilder::build() && {
    if (added.size() > kAddedMax) {
        return Error{ErrorCode::LimitExceeded,
                     fmt::format("{} added tokens pass the limit of {}", added.size(), kAddedMax)};
    }
    auto data = std::make_shared<Tokenizer::Data>();
    data->splitter = TRY(Splitter::compile(pattern));
    data->vocabulary = std::move(vocabulary);
    data->rules = std::move(rules);
    data->whole_pieces = whole_pieces;
    data->added = std::move(added);
    for (std::size_t i = 0; i < data->added.size(); ++i) {
        const AddedToken& token = data->added[i];
        if (token.text.empty() || token.id < 0) {
            return Error{ErrorCode::ParseFailed, fmt::format("added token {} has no text or a negative id", token.id)};
        }
        data->added_by_first_byte[static_cast<std::uint8_t>(token.text[0])].push_back(i);
        data->added_by_id.emplace(token.id, i);
    }
    for (auto& indices : data->added_by_first_byte) {
        std::stable_sort(indices.begin(), indices.end(), [&](std::size_t a, std::size_t b) {
            return data->added[a].text.size() > data->added[b].text.size();
        });
    }
    Tokenizer tokenizer;
    tokenizer.data_ = std::move(data);
    return tokenizer;
}

namespace {

/// One pass over a text.
class Encoder {
public:
    /// Whether the added token at index `added` may be recognised at this offset.
    using Filter = std::function<bool(std::size_t added, std::size_t at)>;

    explicit Encoder(const Tokenizer::Data& data) : data_(data) {}

    std::vector<TokenId> run(std::string_view text, const Filter& filter) {
        std::size_t plain_from = 0;
        for (std::size_t at = 0; at < text.size();) {
            const AddedToken* token = added_at(text, at, filter);
            if (token == nullptr) {
                ++at;
                continue;
            }
            encode_plain(text.substr(plain_from, at - plain_from));
            ids_.push_back(token->id);
            at += token->text.size();
            plain_from = at;
        }
        encode_plain(text.substr(plain_from));
        return std::move(ids_);
    }

    std::vector<TokenId> run_plain(std::string_view text) {
        encode_plain(text);
        return std::move(ids_);
    }

private:
    const AddedToken* added_at(std::string_view text, std::size_t at, const Filter& filter) const {
        for (const std::size_t index : data_.added_by_first_byte[static_cast<std::uint8_t>(text[at])]) {
            const AddedToken& token = data_.added[index];
            if (text.substr(at, token.text.size()) == token.text && filter(index, at)) {
                return &token;
            }
        }
        return nullptr;
    }

    // Bytes that are not UTF-8 become their byte tokens; the split pattern only sees the valid stretches between them.
    void encode_plain(std::string_view text) {
        while (!text.empty()) {
            const std::size_t valid = utf8_valid_length(text);
            encode_valid(text.substr(0, valid));
            text.remove_prefix(valid);
            const std::size_t invalid = text.empty() ? 0 : utf8_step(text).length;
            for (const char byte : text.substr(0, invalid)) {
                ids_.push_back(data_.vocabulary.byte_token(static_cast<std::uint8_t>(byte)));
            }
            text.remove_prefix(invalid);
        }
    }

    void encode_valid(std::string_view text) {
        pieces_.clear();
        data_.splitter.split(text, pieces_);
        for (const std::string_view piece : pieces_) {
            const auto whole = data_.whole_pieces ? data_.vocabulary.find(piece) : std::nullopt;
            if (whole) {
                ids_.push_back(*whole);
            } else {
                encode_piece(data_.vocabulary, data_.rules, piece, ids_);
            }
        }
    }

    const Tokenizer::Data& data_;
    std::vector<TokenId> ids_;
    std::vector<std::string_view> pieces_;
};

} // namespace

std::vector<TokenId> Tokenizer::encode(std::string_view text, AddedTokens added) const {
    Encoder encoder(*data_);
    if (added == AddedTokens::AsText) {
        return encoder.run_plain(text);
    }
    return encoder.run(text, [](std::size_t, std::size_t) { return true; });
}

std::vector<TokenId> Tokenizer::encode_rendered(const std::vector<RenderedSegment>& segments,
                                                const std::vector<TokenId>& text_in_content) const {
    std::string text;
    std::vector<std::size_t> bounds; // [begin, end) of content, ascending
    for (const RenderedSegment& segment : segments) {
        if (segment.from_content) {
            bounds.push_back(text.size());
            bounds.push_back(text.size() + segment.text.size());
        }
        text += segment.text;
    }
    const auto touches_content = [&](std::size_t from, std::size_t to) {
        const auto first = std::upper_bound(bounds.begin(), bounds.end(), from);
        const bool inside = (first - bounds.begin()) % 2 == 1;
        return inside || (first != bounds.end() && *first < to);
    };
    std::vector<char> kept(data_->added.size());
    for (std::size_t i = 0; i < kept.size(); ++i) {
        const TokenId id = data_->added[i].id;
        kept[i] = std::find(text_in_content.begin(), text_in_content.end(), id) != text_in_content.end() ? 1 : 0;
    }
    return Encoder(*data_).run(text, [&](std::size_t index, std::size_t at) {
        return kept[index] == 0 || !touches_content(at, at + data_->added[index].text.size());
    });
}

std::string_view Tokenizer::token_bytes(TokenId id) const {
    const auto found = data_->added_by_id.find(id);
    return found != data_->added_by_id.end() ? data_->added[found->second].text : data_->vocabulary.bytes(id);
}

std::string Tokenizer::decode(const std::vector<TokenId>& ids) const {
    std::string bytes;
    for (const TokenId id : ids) {
        bytes += token_bytes(id);
    }
    return utf8_repaired(bytes);
}

bool Tokenizer::is_special(TokenId id) const {
    const auto found = data_->added_by_id.find(id);
    return found != data_->added_by_id.end() && data_->added[found->second].is_special;
}

std::optional<TokenId> Tokenizer::added_token(std::string_view text) const {
    for (const AddedToken& token : data_->added) {
        if (token.text == text) {
            return token.id;
        }
    }
    return std::nullopt;
}

int Tokenizer::vocabulary_size() const {
    int size = data_->vocabulary.size();
    for (const AddedToken& token : data_->added) {
        size = std::max(size, token.id + 1);
    }
    return size;
}

} // namespace handeye
