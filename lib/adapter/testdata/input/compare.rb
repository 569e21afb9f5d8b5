# frozen_string_literal: true

# compare.rb DIR SEED does random things to bodies of requests and to files of
# the same bytes, and fails where they differ. DIR is where the adapter is.
# A StringIO will not do: in Ruby 3.1 it forgets its place when it chomps.

require "tempfile"
require "csv"
dir, seed = ARGV
require File.join(dir, "body")
require File.join(dir, "input")

# In the place of a connection: its bytes come in pieces of any length.
class Pieces
  def initialize(text, random)
    @text = text
    @random = random
    @at = 0
  end

  def take(max)
    length = [1 + @random.rand(9000), max].min
    part = @text.byteslice(@at, length)
    @at += part.bytesize
    part
  end

  def take_line(_max)
    i = @text.index("\r\n", @at)
    line = @text.byteslice(@at, i - @at)
    @at = i + 2
    line
  end
end

def chunked(text, random)
  out = String.new
  at = 0
  while at < text.bytesize
    part = text.byteslice(at, 1 + random.rand(20_000))
    out << part.bytesize.to_s(16) << "\r\n" << part << "\r\n"
    at += part.bytesize
  end
  out << "0\r\n\r\n"
end

# What a call gives, or the class of what it raises.
def try(io, name, args, options)
  value = io.public_send(name, *args, **options)
  value.equal?(io) ? :self : value
rescue StandardError => e
  e.class
end

CALLS = {
  read: ->(r) { [[], [r.rand(200)], [r.rand(200_000)], [nil], [0], [2.7], [-1]].sample(random: r) },
  readlines: ->(_) { [0] },
  gets: ->(r) { [[], [nil], [""], ["ab"], [-1], [r.rand(50)], ["\n", r.rand(50)], [nil, 30]].sample(random: r) },
  readline: ->(_) { [] },
  readpartial: ->(r) { [r.rand(9).zero? ? -1 : 1 + r.rand(5000)] },
  getc: ->(_) { [] },
  getbyte: ->(_) { [] },
  readbyte: ->(_) { [] },
  readchar: ->(_) { [] },
  eof?: ->(_) { [] },
  pos: ->(_) { [] },
  size: ->(_) { [] },
  rewind: ->(_) { [] },
  seek: ->(r) { [[r.rand(300_000)], [-r.rand(50), IO::SEEK_END], [r.rand(9) - 4, IO::SEEK_CUR], [-1]].sample(random: r) },
  set_encoding: ->(r) { [["UTF-8", "BINARY"].sample(random: r)] },
  external_encoding: ->(_) { [] },
  closed?: ->(_) { [] },
  binmode: ->(_) { [] }
}.freeze

random = Random.new(Integer(seed))
300.times do |round|
  size = [0, 1, 40, 3000, 150_000].sample(random: random)
  text = String.new
  text << ["a", "ab", "\n", "\n\n", "x" * random.rand(3000), "\u00fc", "\r\n"].sample(random: random).b while text.bytesize < size
  mine =
    if random.rand(2) == 0
      PhusionPassenger::Input.new(PhusionPassenger::Body.new(Pieces.new(text, random), text.bytesize))
    else
      PhusionPassenger::Input.new(PhusionPassenger::Body.new(Pieces.new(chunked(text, random), random), nil))
    end
  kept = Tempfile.new("body", binmode: true).tap { |file| file.write(text) && file.rewind }
  theirs = kept.to_io # closed when kept is collected, so that has to be used at the end
  done = []
  30.times do
    name = CALLS.keys.sample(random: random)
    args = CALLS[name].call(random)
    # What chomp does without a separator depends on Ruby's version.
    options = name == :gets && args.first != nil && random.rand(4) == 0 ? { chomp: true } : {}
    next if name == :gets && args == [""] && theirs.external_encoding != Encoding::BINARY

    done << [name, args, options]
    got = try(mine, name, args, options)
    partial = name == :readpartial && got.is_a?(String) # as much as there is
    want = partial ? try(theirs, :read, [got.bytesize], {}) : try(theirs, name, args, options)
    next if got == want && (!got.is_a?(String) || got.empty? || got.encoding == want.encoding)

    abort "round #{round}, #{text.bytesize} bytes, after #{done.inspect}:\n  got #{got.inspect[0, 200]} #{got.encoding if got.is_a?(String)}\n want #{want.inspect[0, 200]} #{want.encoding if want.is_a?(String)}"
  end
  kept.close!
end

table = "a,b\n1,\"two\nlines\"\n3,4\n"
[3, 30, table.bytesize].each do |length|
  rows = CSV.new(PhusionPassenger::Input.new(PhusionPassenger::Body.new(Pieces.new(table, Random.new(length)), table.bytesize)), headers: true)
  rows.map(&:to_h) == [{ "a" => "1", "b" => "two\nlines" }, { "a" => "3", "b" => "4" }] or abort "CSV: #{rows}"
end
CSV.new(PhusionPassenger::NoInput).to_a == [] or abort "CSV of nothing"
input = PhusionPassenger::Input.new(PhusionPassenger::Body.new(Pieces.new("x", random), 1))
input.close
[:read, :gets, :eof?, :rewind].each { |name| try(input, name, [], {}) == IOError or abort "#{name} of a closed one" }
input.closed? or abort "closed?"
PhusionPassenger::NoInput.close
PhusionPassenger::NoInput.seek(9)
[PhusionPassenger::NoInput.read, PhusionPassenger::NoInput.pos, PhusionPassenger::NoInput.closed?] == ["", 0, false] or abort "nothing"
puts "alike"
