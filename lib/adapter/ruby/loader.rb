# frozen_string_literal: true

module PhusionPassenger
  # Loads a Rack app from a directory, in the way that rackup does.
  class Loader
    GEMFILES = ["Gemfile", "gems.rb"].freeze

    def initialize(root, file)
      @root = root
      @path = File.expand_path(file, root)
    end

    # Returns the app. What goes wrong is raised as it comes.
    def load
      require "bundler/setup" if bundle?
      require "rack"
      app = parse
      raise TypeError, "#{@path} gives no Rack app: #{app.inspect} has no method call" unless app.respond_to?(:call)

      app
    end

    private

    def bundle?
      gemfile = ENV["BUNDLE_GEMFILE"]
      return true if gemfile && !gemfile.empty?

      GEMFILES.any? { |name| File.exist?(File.join(@root, name)) }
    end

    # Rack before version 3 returns the options of a "#\" line beside the app,
    # and would load its command line's parser to read them; Rack 3 returns the
    # app alone.
    def parse
      return Rack::Builder.new_from_string(File.read(@path), @path) unless @path.end_with?(".ru")
      return Rack::Builder.parse_file(@path, nil).first if Rack.release.to_i < 3

      Rack::Builder.parse_file(@path)
    end
  end
end
