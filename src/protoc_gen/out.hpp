// out.hpp - a text of C, written line by line and indented by its braces.
#ifndef PROTOC_GEN_OUT_HPP
#define PROTOC_GEN_OUT_HPP

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe_gen
{

// Text for operator() of Out: strings as they are, numbers in decimal.
inline std::string text(std::string_view value)
{
    return std::string(value);
}

inline std::string text(uint64_t value)
{
    return std::to_string(value);
}

class Out
{
  public:
    // One line, made of all that is given; an empty one without anything.
    template <typename... Parts> void operator()(const Parts &...parts)
    {
        line((std::string() + ... + text(parts)));
    }

    const std::string &str() const
    {
        return text_;
    }

  private:
    void line(const std::string &line)
    {
        if (!line.empty() && line[0] == '}')
            depth_--;
        // Labels stand one level further out than what they label.
        bool label = line.compare(0, 5, "case ") == 0 || line.compare(0, 8, "default:") == 0 ||
                     line.compare(0, 6, "field_") == 0;
        bool outermost = line.empty() || line[0] == '#';
        if (!outermost)
            text_.append(4 * static_cast<size_t>(depth_ - (label ? 1 : 0)), ' ');
        text_ += line;
        text_ += '\n';
        if (!line.empty() && line.back() == '{')
            depth_++;
    }

    std::string text_;
    int depth_ = 0;
};

} // namespace troupe_gen

#endif
