# frozen_string_literal: true

module PhusionPassenger
  # Texts for the spawner. Written out because the libraries that do it are
  # gems.
  module Text
    MAX = 600 # characters of one text, so that a report fits in a datagram of 8 KiB

    module_function

    # text as a JSON string.
    def quote(text)
      escaped = utf8(text)[0, MAX].gsub(/["\\\u0000-\u001f\u007f]/) do |c|
        c == '"' || c == "\\" ? "\\" + c : format("\\u%04x", c.ord)
      end
      "\"#{escaped}\""
    end

    def utf8(text)
      text = text.to_s
      text = text.encode("UTF-8", invalid: :replace, undef: :replace) unless text.encoding == Encoding::BINARY
      text.dup.force_encoding("UTF-8").scrub
    end

    def first_line(text)
      text.to_s.strip.lines.first.to_s.chomp
    end
  end
end
