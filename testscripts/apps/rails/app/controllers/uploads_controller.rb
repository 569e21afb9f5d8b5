require "digest"

# Answers an upload with its digest. Programs send these, without a token.
class UploadsController < ApplicationController
  skip_forgery_protection

  def raw
    render plain: digest(request.body)
  end

  def multipart
    render plain: digest(params.require(:file))
  end

  private

  def digest(input)
    sha = Digest::SHA256.new
    while (part = input.read(65_536))
      sha << part
    end
    sha.hexdigest
  end
end
