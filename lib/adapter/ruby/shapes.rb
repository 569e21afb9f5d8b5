# frozen_string_literal: true

module PhusionPassenger
  # Makes the env of a request out of the names and the values in its header
  # block. Most requests come with one of a few lists of names. For a list that
  # comes often there is compiled code, a Hash literal, that makes the env in
  # one step.
  #
  # A client chooses names. So what is kept is bounded, and a client that varies
  # them pays for it with what a request without compiled code costs.
  class Shapes
    LIST = /\A[A-Z0-9_]+(?:,[A-Z0-9_]+)*\z/.freeze # all that is ever compiled
    LONGEST = 4096  # bytes of a list that is compiled
    OFTEN = 8       # a list is compiled when it comes for this time
    MOST = 64       # lists with compiled code
    COUNTED = 512   # lists that are counted
    MISSES = 10_000 # requests without compiled code until there may be other lists
    VERSION = [1, 3].freeze

    DERIVED = %w[HTTPS HTTP_UPGRADE HTTP_X_SENDFILE_TYPE].freeze # names that complete looks for

    # rack is the major version of Rack, multithread whether several threads
    # call the app at once.
    def initialize(rack, multithread)
      @rack = rack
      @ours = '"rack.errors" => $stderr, "rack.url_scheme" => "http", "rack.input" => NoInput, ' \
              "\"rack.multithread\" => #{multithread}, \"rack.multiprocess\" => true, \"rack.run_once\" => false, " \
              '"rack.hijack?" => true, "rack.hijack" => hijack, ' \
              '"rack.early_hints" => EarlyHints.new(connection, hijack), "rack.response_finished" => []'
      @ours += ', "rack.version" => VERSION' if rack < 3
      @base = code("{ #{@ours} }")
      @compiled = {}
      @count = {} # by a list's hash
      @misses = 0
    end

    # Returns the env of a request, nil if there are not as many values as names.
    # names are joined by commas, CONTENT_LENGTH first; fields are the values,
    # with one string before and one behind. The env has no body yet.
    def env(names, fields, connection, hijack)
      code = @compiled[names] || compiled(names)
      code ? code.call(fields, connection, hijack) : slowly(names.split(","), fields, connection, hijack)
    end

    # The same for pairs of a name and a value, in one list.
    def env_of_pairs(fields, connection, hijack)
      complete(Hash[*fields].update(@base.call(nil, connection, hijack)))
    end

    private

    # Returns code for a list of names that had none, nil if it is to have none.
    def compiled(names)
      @misses += 1
      code = comes_often(names) && room && compile(names) or return
      @compiled[names + ""] = code # a copy, for the list is a part of the whole buffer
    end

    def comes_often(names)
      @count.clear if @count.size >= COUNTED
      hash = names.hash
      (@count[hash] = (@count[hash] || 0) + 1) >= OFTEN
    end

    def room
      return true if @compiled.size < MOST
      return false if @misses < MISSES

      @misses = 0
      @compiled.clear
      true
    end

    def compile(names)
      return if names.bytesize > LONGEST || !names.match?(LIST)

      list = names.split(",")
      return if list.uniq!

      values = list.each_with_index.map { |name, index| [name, "fields[#{index + 1}]"] }.drop(1).to_h
      values["HTTP_VERSION"] = values["SERVER_PROTOCOL"] || "nil" if @rack < 3
      env = "{ #{values.map { |name, value| "\"#{name}\" => #{value}" }.push(@ours).join(", ")} }"
      env = "complete(#{env})" unless (list & DERIVED).empty?
      code("#{env} if fields.size == #{list.size + 2}")
    end

    # No word of the source is the client's but for names, which LIST knows.
    def code(source)
      eval("# frozen_string_literal: true\nlambda { |fields, connection, hijack| #{source} }", binding, __FILE__, __LINE__)
    end

    def slowly(names, fields, connection, hijack)
      return if fields.size != names.size + 2

      env = @base.call(nil, connection, hijack)
      index = 0
      names.each { |name| env[name] = fields[index += 1] }
      env.delete("CONTENT_LENGTH")
      complete(env)
    end

    # Adds what depends on the values.
    def complete(env)
      if @rack < 3
        env["HTTP_VERSION"] = env["SERVER_PROTOCOL"]
      elsif (protocols = env["HTTP_UPGRADE"])
        env["rack.protocol"] = protocols.split(/\s*,\s*/)
      end
      env["rack.url_scheme"] = "https" if env["HTTPS"] == "on"
      # Rack::Sendfile believes no header. This one the proxy has set, and
      # X-Accel-Redirect needs mappings that the app alone can give it.
      env["sendfile.type"] = "X-Sendfile" if env["HTTP_X_SENDFILE_TYPE"] == "X-Sendfile"
      env
    end
  end
end
