# frozen_string_literal: true

module PhusionPassenger
  # Makes a process that has loaded the app ready to be forked, once: what the
  # forked processes would each load is loaded, what they must not share is
  # closed, and the heap is laid out so that they share what they do not change.
  module Preparation
    class << self
      # paths are what the app is asked for.
      def run(app, paths)
        eager_load
        ask(app, paths) unless paths.empty?
        Databases.disconnect
        PhusionPassenger.call_event(:before_fork)
        warm_up
      end

      private

      # What is left of loading is removed before, else what the requests leave
      # for good lies in between.
      def ask(app, paths)
        GC.start
        asking = WarmUp.new(app, Rack.release.to_i, ENV["PASSENGER_BASE_URI"])
        paths.each { |path| asking.ask(path) }
      end

      # A Rails app whose settings leave it to the first request to load the
      # code; but not where code is to be loaded again when it changes.
      def eager_load
        return unless defined?(Rails) && Rails.respond_to?(:application) && Rails.application.respond_to?(:eager_load!)

        config = Rails.application.config
        Rails.application.eager_load! if config.cache_classes && !config.eager_load
      end

      # Ruby before version 3.3 does not know how. Objects are moved to the old
      # generation by three collections: later ones do not write to them.
      def warm_up
        return Process.warmup if Process.respond_to?(:warmup)

        3.times { GC.start }
        GC.compact if GC.respond_to?(:compact)
      rescue NotImplementedError
        nil # moving objects is not possible on this system
      end
    end
  end
end
