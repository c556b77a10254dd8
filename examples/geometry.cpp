// Plane geometry: vectors, and the area and perimeter of a few shapes.

#include <cmath>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

struct Vec2 {
    double x = 0.0;
    double y = 0.0;

    Vec2 operator+(const Vec2& other) const { return {x + other.x, y + other.y}; }
    Vec2 operator-(const Vec2& other) const { return {x - other.x, y - other.y}; }
    Vec2 operator*(double factor) const { return {x * factor, y * factor}; }

    double dot(const Vec2& other) const { return x * other.x + y * other.y; }
    double cross(const Vec2& other) const { return x * other.y - y * other.x; }
    double length() const { return std::sqrt(dot(*this)); }
};

class Shape {
public:
    virtual ~Shape() = default;
    virtual std::string name() const = 0;
    virtual double area() const = 0;
    virtual double perimeter() const = 0;
};

class Circle : public Shape {
public:
    explicit Circle(double radius) : radius_(radius) {}

    std::string name() const override { return "circle"; }
    double area() const override { return M_PI * radius_ * radius_; }
    double perimeter() const override { return 2.0 * M_PI * radius_; }

private:
    double radius_;
};

class Rectangle : public Shape {
public:
    Rectangle(double width, double height) : width_(width), height_(height) {}

    std::string name() const override { return "rectangle"; }
    double area() const override { return width_ * height_; }
    double perimeter() const override { return 2.0 * (width_ + height_); }

private:
    double width_;
    double height_;
};

class Triangle : public Shape {
public:
    Triangle(Vec2 a, Vec2 b, Vec2 c) : a_(a), b_(b), c_(c) {}

    std::string name() const override { return "triangle"; }
    double area() const override { return std::abs((b_ - a_).cross(c_ - a_)) / 2.0; }
    double perimeter() const override {
        return (b_ - a_).length() + (c_ - b_).length() + (a_ - c_).length();
    }

private:
    Vec2 a_;
    Vec2 b_;
    Vec2 c_;
};

int main() {
    std::vector<std::unique_ptr<Shape>> shapes;
    shapes.push_back(std::make_unique<Circle>(1.5));
    shapes.push_back(std::make_unique<Rectangle>(2.0, 3.0));
    shapes.push_back(std::make_unique<Triangle>(Vec2{0, 0}, Vec2{4, 0}, Vec2{0, 3}));
    for (const auto& shape : shapes) {
        std::cout << shape->name() << ": area " << shape->area()
                  << ", perimeter " << shape->perimeter() << '\n';
    }
    return 0;
}
