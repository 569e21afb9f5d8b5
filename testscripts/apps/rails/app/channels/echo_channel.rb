# Says what it is asked to say, to who asks.
class EchoChannel < ApplicationCable::Channel
  def subscribed
    transmit(params[:text]) if params[:text]
  end

  def receive(data)
    transmit(data["text"])
  end
end
