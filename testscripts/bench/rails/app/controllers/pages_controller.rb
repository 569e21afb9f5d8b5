# frozen_string_literal: true

class PagesController < ActionController::Base
  def index; end

  def pid
    render plain: Process.pid.to_s
  end
end
