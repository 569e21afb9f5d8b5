# The pages with a form. The session's cookie holds the form's token.
class PagesController < ApplicationController
  def index
    session[:visits] = session[:visits].to_i + 1
  end

  def new; end

  def create
    render plain: "name=#{params[:name]}"
  end
end
