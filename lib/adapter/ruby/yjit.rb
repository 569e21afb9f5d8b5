# frozen_string_literal: true

module PhusionPassenger
  # Ruby's compiler. From Ruby 3.3 on it can be enabled once the app has loaded,
  # and takes memory for what it compiles only. In Ruby 3.1 and 3.2 it must be
  # there from the start, and is only if the app's settings ask for it.
  module Yjit
    WANTED = "1"
    REFUSED = "0"
    STARTED = "started" # in the place of WANTED, once the options are given

    # The default of Ruby 3.1, 256 MB, costs as much of real memory.
    OPTIONS = %w[--yjit --yjit-exec-mem-size=24].freeze

    class << self
      # Starts this program anew with the compiler, in the same process, if the
      # settings ask for it and it cannot be enabled later.
      def start(program, args)
        return unless ENV["PASSENGER_YJIT"] == WANTED && there? && !later? && !RubyVM::YJIT.enabled?

        ENV["PASSENGER_YJIT"] = STARTED
        exec(RbConfig.ruby, *OPTIONS, program, *args, close_others: false)
      rescue SystemCallError => e
        warn "passenger: cannot start Ruby anew with YJIT: #{e.message}"
      end

      # Enables it now that the app has loaded; wish is what the settings say,
      # nil if nothing.
      def enable(wish)
        return if wish == REFUSED || wish.nil? && rails_decides?
        return RubyVM::YJIT.enabled? || RubyVM::YJIT.enable if there? && later?

        warn "passenger: yjit is set, and this Ruby #{RUBY_VERSION} has no YJIT" if wish == WANTED && !there?
      end

      private

      def there?
        defined?(RubyVM::YJIT)
      end

      def later?
        RubyVM::YJIT.respond_to?(:enable)
      end

      # Rails 7.2 enables it itself, unless the app's settings say no.
      def rails_decides?
        defined?(Rails) && Rails.respond_to?(:application) && Rails.application.respond_to?(:config) &&
          Rails.application.config.respond_to?(:yjit)
      end
    end
  end
end
